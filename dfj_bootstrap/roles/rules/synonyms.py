"""Words and phrases that may stand for each other.

Sides, numbers, negations, hedges, names and class words are never changed: every pair below is of one
meaning and one grammar, and holds none of those, or the same ones on both sides.
"""

from __future__ import annotations

import re
from random import Random

from dfj_bootstrap.language.alternation import any_of
from dfj_bootstrap.language.sentences import capitalised

_BOTH_WAYS = (
    "picture|image",
    "depicted in|shown in",
    "realistic|lifelike",
    "overly|excessively",
    "clearly|plainly",
    "noticeably|markedly",
    "significantly|considerably",
    "significant|considerable",
    "distorted|deformed",
    "twisted|contorted",
    "chaotic|disordered",
    "blurry|fuzzy",
    "smeared|smudged",
    "crisp|well-defined",
    "strange|odd",
    "correct|proper",
    "incorrect|faulty",
    "badly formed|wrongly formed",
    "abnormal|anomalous",
    "large|big",
    "completely|entirely",
    "simply|merely",
    "evenly|uniformly",
    "irregular|uneven",
    "lies|is lying",
    "sits|is sitting",
    "hangs|is hanging",
    "shows|displays",
    "exhibits|presents",
    "resembles|is like",
    "covers|hides",
    "matches|fits",
    "does not match|does not agree with",
    "do not match|do not agree with",
    "does not conform to|does not comply with",
    "differs from|departs from",
    "fades|dissolves",
    "fade|dissolve",
    "ends in|finishes in",
    "merge|fuse",
    "merges|fuses",
    "belongs to|is part of",
    "continuing|carrying on",
    "surrounds|encloses",
    "surface texture|texture of the surface",
    "outline|contour",
    "edges|borders",
    "edge|border",
    "direction|orientation",
    "position|location",
    "placement|positioning",
    "color|hue",
    "colors|hues",
    "brightness|luminance",
    "sharpness|definition",
    "softly|gently",
    "glossy|shiny",
    "worn|weathered",
    "ancient|age-old",
    "suspended|hovering",
    "sticking together|adhering together",
    "sticking to|adhering to",
    "disappear|vanish",
    "next to|beside",
    "although|even though",
    "exactly|precisely",
    "far too|much too",
    "far brighter|much brighter",
    "consistent with|in keeping with",
    "consistently|coherently",
    "inconsistent|incoherent",
    "indicate|suggest",
    "indicates|suggests",
    "agree|accord",
    "reality|real life",
    "the real situation|real conditions",
    "comparable|similar",
    "surroundings|environment",
    "plausible|credible",
    "waxy|wax-like",
    "jagged|ragged",
    "flawless|faultless",
    "legible|readable",
    "gradually|step by step",
    "proportions|relative sizes",
    "abruptly|suddenly",
    "neighbouring|adjoining",
    "some areas|some spots",
    "several|a number of",
    "on the whole|by and large",
    "therefore|accordingly",
    "together these|taken together, these",
    "for these reasons|on these grounds",
    "speak for|argue for",
    "photograph|photo",
    "overall it seems|all in all it seems",
    "this can be seen at a glance|a glance is enough to see this",
    "it is visible without looking closer|it can be seen without looking closer",
    "exactly as one would expect|just as one would expect",
    "as if put together wrongly|as though wrongly assembled",
    "there is something wrong with|something is wrong with",
    "there is nothing strange about|nothing is strange about",
    "with every detail in order|every detail being in order",
    "turns into garbled strokes|becomes garbled strokes",
    "anyone can tell that|everyone can tell that",
    "definitely|certainly",
    "it is probably|this is probably",
    "i am not completely sure|i am not fully sure",
    "though some doubt remains|but some doubt remains",
    "so it might well be|it might therefore well be",
    "on balance|all things considered",
    "even if much of it looks right|although much of it looks right",
    "even if not everything in it is perfect|although not everything in it is perfect",
    "all of this|all this",
    "some areas look a bit unusual|a few areas look a bit unusual",
    "there are small problems in several places|small problems can be found in several places",
    "most areas look fairly normal|the majority of areas look fairly normal",
    "there are no obvious problems in most places|no obvious problems are found in most places",
    "certain parts of|some parts of",
    "a few details|some details",
    "the overall impression is|the general impression is",
    "it may be that|it might be that",
    "perhaps|maybe",
    "as if|as though",
    "compared with|in comparison with",
    "compared to|in comparison to",
    "casts|throws",
    "cast|throw",
    "unclear|indistinct",
    "unbroken|uninterrupted",
    "more or less|roughly",
    "fine on the whole|fine by and large",
    "in a plausible manner|in a plausible way",
    "down to the smallest|to the very smallest",
    "for a moment|briefly",
    "point the same way|point in the same direction",
    "easy to see|easily seen",
    "makes this clearer|makes it clearer",
    "best explained as|best understood as",
    "best read as|best understood as",
    "taken with a camera|shot with a camera",
    "from beginning to end|from start to finish",
    "where they belong|where they should be",
    "all the way round|all the way around",
    "in most places|in the majority of places",
    "with believable wear|with credible wear",
    "correctly counted|counted correctly",
    "suits no such material|fits no such material",
)
_ONE_WAY = (
    "entire>whole",
    "tiny>minute",
    "narrow>slim",
    "noticeable>marked",
    "also>likewise",
    "regular>orderly",
    "rises>towers",
    "holds up>raises",
    "close to>near",
    "stands on>is standing on",
    "stands behind>is standing behind",
    "stands upright>is standing upright",
    "in place of>instead of",
    "contradict one another>contradict each other",
    "follow>trace",
    "follows>traces",
    "shape>form",
    "shapes>forms",
    "boundary>border",
    "colour>hue",
    "colours>hues",
    "bright>luminous",
    "smooth>sleek",
    "separate>distinct",
    "separated>set apart",
    "throughout>everywhere",
    "while>whereas",
    "because>since",
    "show that>reveal that",
    "shows that>reveals that",
    "show that>make plain that",
    "supports>backs",
    "existing>present",
    "making it>which makes it",
    "typical>characteristic",
    "lamp>light source",
    "tint>shade",
    "gloss>sheen",
    "stays>remains",
    "stay>remain",
    "structure>form",
    "details>features",
    "looks like>resembles",
    "with no>without any",
    "should>ought to",
    "thin>slender",
    "wide>broad",
    "isolated>lone",
    "sharp>crisp",
    "as can be seen>as one can see",
    "possibly>perhaps",
    "consists of>is made of",
)
"""Wordings that can be replaced, but whose replacements have other meanings too."""


def replacements() -> list[tuple[str, str]]:
    """Every allowed replacement: old wording, new wording."""
    pairs = [(one, other) for one, _, other in (pair.partition("|") for pair in _BOTH_WAYS)]
    one_way = [(old, new) for old, _, new in (pair.partition(">") for pair in _ONE_WAY)]
    return [*pairs, *((other, one) for one, other in pairs), *one_way]


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for old, new in replacements():
        table[old] = (*table.get(old, ()), new)
    return table


_TABLE = _table()
_KNOWN = re.compile(rf"(?<![\w-]){any_of(_TABLE)}(?![\w-])", re.IGNORECASE)
_VOWEL = re.compile(r"\b([Aa])n? (?=([a-z]))")


def synonyms(text: str, rng: Random, strength: float) -> str:
    """Replace known words by others of the same meaning.

    A word that the text holds already is never put for another: two things told apart stay apart.
    """
    lowered = text.lower()

    def other(match: re.Match[str]) -> str:
        word = match.group()
        options = [new for new in _TABLE.get(word.lower(), ()) if new not in lowered]
        if not options or rng.random() >= strength:
            return word
        new = rng.choice(options)
        return capitalised(new) if word[0].isupper() else new

    return _articles(_KNOWN.sub(other, text))


def _articles(text: str) -> str:
    """Set ``a`` and ``an`` right before the words that now follow them."""

    def article(match: re.Match[str]) -> str:
        start = text[match.end() : match.end() + 3].lower()
        vowel = match.group(2) in "aeio" or (match.group(2) == "u" and start not in ("uni", "use", "usu"))
        return f"{match.group(1)}n " if vowel and not start.startswith("one") else f"{match.group(1)} "

    return _VOWEL.sub(article, text)
