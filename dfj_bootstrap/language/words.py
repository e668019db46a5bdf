"""Where a text is cut into words. There is no other place: who needs words in a further way adds it here.

No one way serves all. Who compares what two texts *say* wants contractions and set phrases undone; who rates
a text by its words, or puts some of them into another, wants those that stand there.

===================  ======================  ============================  ===========================
..                   ``tokens``              ``plain_words``               ``joined_words``
===================  ======================  ============================  ===========================
for                  fidelity, ``lexical``   the embedded rules' claims    the embedded rules' topics
Unicode              brought to NFKC         as it stands                  as it stands
*isn't*              *is*, *not*             *isn't*                       *isn't*
*rather than*        *without*               *rather*, *than*              *rather*, *than*
*top-right*          *top*, *right*          *top*, *right*                *top-right*
*1,000*, *2nd*       one token each          *1*, *000*; *2*, *nd*         *1*, *,*, *000*; *2nd*
marks                ``.;:!?,()``            none                          all
Chinese, Korean …    words by their spaces   a word each character         words by their spaces
===================  ======================  ============================  ===========================

Verdicts hang on ``tokens`` (``RULES_OF_DECISION``), what the rules write and rate on the other two
(``RULES_VERSION``). Any text is legal; the work is linear in its length.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from dfj_bootstrap.language.alternation import any_of
from dfj_bootstrap.language.set_phrases import PHRASES

_HAN = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(r"\d+(?:st|nd|rd|th)\b|\d+(?:[.,]\d+)*|[^\W\d]+|[.;:!?,()]")
_PLAIN = re.compile(rf"[{_HAN}]|[^\W\d_{_HAN}]+(?:['’][^\W\d_{_HAN}]+)?|\d+")
_JOINED = re.compile(r"[^\W_]+(?:[-'’][^\W_]+)*|[^\w\s]")

_PHRASE = re.compile(rf"\b({any_of(PHRASES)})\b")
_CANT = re.compile(r"\bcan't\b|\bcannot\b")
_CONTRACTED = re.compile(r"n't\b")
_QUOTES = str.maketrans(
    {c: "-" for c in "\u2010\u2011\u2012\u2013\u2014\u2212"} | {"\u2019": "'", "\u2018": "'"}
)


@lru_cache(maxsize=128)  # a text is looked at several times within a short time
def tokens(text: str) -> tuple[str, ...]:
    """Words, numbers and marks in one case, with contractions and set phrases undone."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES).lower()
    text = _CONTRACTED.sub(" not", _CANT.sub("can not", text))
    text = _PHRASE.sub(lambda match: PHRASES[match.group(1)], " ".join(text.split()))
    return tuple(_TOKEN.findall(text))


@lru_cache(maxsize=512)
def plain_words(text: str) -> tuple[str, ...]:
    """Lower-case words and numbers as they stand; a Han, Kana or Hangul character is a word of its own."""
    return tuple(word.replace("’", "'") for word in _PLAIN.findall(text.lower()))


def joined_words(text: str) -> list[str]:
    """Lower-case words as they stand, joined by hyphens too, and the marks between them."""
    return _JOINED.findall(text.lower())


def word_count(text: str) -> int:
    """Words as separated by white space: the measure of length throughout."""
    return len(text.split())
