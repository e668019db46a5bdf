"""What the scripted server says: a test double of all roles, deterministic in the request.

Quality travels in the double's vocabulary and nowhere else: its generator puts one of ``MARKS`` into each
text, its evaluator looks for that word in the candidate and knows nothing further. A text without a mark
(a gold rationale) is rated 5, now and then 4. So ladders get accepted, with some rounds off their level.
"""

from __future__ import annotations

import re
from hashlib import blake2b

MARKS = {1: "undeniably", 2: "arguably", 3: "passably", 4: "broadly"}
"""The word by which the double's evaluator tells the level of the double's texts."""

_SYNONYMS = (
    ("picture", "image", "photo"),
    ("looks", "appears", "seems"),
    ("strange", "odd", "unusual"),
    ("smooth", "sleek", "even"),
    ("shows", "displays", "reveals"),
    ("blurry", "fuzzy", "indistinct"),
    ("whole", "entire", "complete"),
    ("bright", "vivid", "brilliant"),
    ("fused", "merged", "melted"),
    ("the", "this"),
    ("is", "remains"),
    ("are", "remain"),
    ("and", "while"),
    ("of", "on"),
)
_OTHERS = {word: group for group in _SYNONYMS for word in group}
_THINGS = (
    "the window",
    "the sleeve",
    "the lamp",
    "the chair",
    "the roof",
    "the bench",
    "the sign",
    "the leaf",
)
_FINDINGS = (
    "looks strange against the background",
    "shows a smooth surface",
    "looks fused with the thing beside it",
    "shows a bright edge",
    "looks blurry as a whole",
    "shows a natural shadow",
)
_OPENINGS = (
    "Whoever takes time and inspects it patiently will notice that",
    "A careful viewer who studies everything calmly finds that",
    "It takes little effort and attention to discover that",
    "Examined with patience and curiosity, it turns out that",
    "Somebody who compares each detail in turn concludes that",
)
_TAGGED = re.compile(r"<reasoning>(.*?)</reasoning>\s*<answer>(\w+)</answer>", re.DOTALL)
_CLASS_WANTED = re.compile(r"(?:class it names must be|named? this class|names?, this class):\s*(\w+)")
_COMPARED = re.compile(r"<reference>\n(.*?)\n</reference>\s*<candidate>\n(.*?)\n</candidate>", re.DOTALL)
_MOST_PARTS = 20
_LEVEL_WANTED = re.compile(r"rationale of level (\d)")


def draw(*parts: object) -> float:
    """A number in [0, 1) by hash."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) / 2**64


def answer(role: str, prompt: str, digest: str, off_level: float) -> dict[str, object]:
    """The fields of the role's reply.

    Args:
        prompt: all text of the request.
        digest: of the request: equal requests get equal answers.
        off_level: the share of generated texts whose quality misses the level by one.
    """
    if role == "evaluator":
        return _rate(prompt, digest)
    if role == "paraphraser":
        return _reword(prompt, digest)
    if role == "judge":
        return _judge(prompt, digest)
    if role == "detector":
        labels = ("real", "fake", "edited")
        return {"reasoning": _text(5, digest), "answer": labels[int(draw("label", digest) * len(labels))]}
    wanted = _CLASS_WANTED.findall(prompt)
    level = _LEVEL_WANTED.search(prompt)
    quality = int(level[1]) if level and role == "generator" else 5
    if draw("off", digest) < off_level:
        quality += 1 if quality == 1 or (quality < 4 and draw("up", digest) < 0.5) else -1
    return {"reasoning": _text(quality, digest), "answer": wanted[-1] if wanted else "fake"}


def _text(quality: int, digest: str) -> str:
    sentences = []
    for number in range(3 + int(draw("length", digest) * 4)):
        thing = _THINGS[int(draw("thing", digest, number) * len(_THINGS))]
        finding = _FINDINGS[int(draw("finding", digest, number) * len(_FINDINGS))]
        mark = f"{MARKS[quality]} " if quality in MARKS else ""
        sentences.append(f"In the picture {thing} {mark}{finding}.")
    return " ".join(sentences)


def _rate(prompt: str, digest: str) -> dict[str, object]:
    shown = _TAGGED.findall(prompt)
    score = _quality(shown[-1][0] if shown else "", digest)
    return {
        "reasoning": f"Class, accuracy and grounding were weighed ({digest[:6]}).",
        "feedback": f"The claims about {_THINGS[score]} decide how far this text can be trusted.",
        "score": score,
    }


def _judge(prompt: str, digest: str) -> dict[str, object]:
    """A score for a text, or the better of two, by their marks; of two as good the first, or a tie.

    What a text and its reference share is told by their sentences and the double's own things.
    """
    if compared := _COMPARED.search(prompt):
        return _match(*compared.groups())
    qualities = [_quality(text, digest) for text, _ in _TAGGED.findall(prompt) if "…" not in text]
    if "Rationale B" not in prompt:
        score = qualities[-1] if qualities else _quality(prompt, digest)
        return {"reasoning": f"Its claims were compared with the picture ({digest[:6]}).", "score": score}
    a, b = qualities if len(qualities) == 2 else (draw("a", digest), draw("b", digest))
    even = "tie" if "both_bad" in prompt else "A"
    return {"answer": even if a == b else "A" if a > b else "B"}


def _match(reference: str, candidate: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, own, other in (("reference", reference, candidate), ("candidate", candidate, reference)):
        for kind, parts_of in (("claims", _sentences), ("entities", _things)):
            others = parts_of(other)
            parts = [{"text": part, "matched": part in others} for part in parts_of(own)]
            found[f"{name}_{kind}"] = parts[:_MOST_PARTS]
    return found


def _sentences(text: str) -> list[str]:
    """The sentences of a text, each once, without the tags and the class around them."""
    tagged = _TAGGED.search(text)
    sentences = (sentence.strip().lower() for sentence in (tagged[1] if tagged else text).split("."))
    return list(dict.fromkeys(sentence for sentence in sentences if sentence))


def _things(text: str) -> list[str]:
    return [thing for thing in _THINGS if thing in text.lower()]


def _quality(text: str, digest: str) -> int:
    found = [level for level, mark in MARKS.items() if mark in text]
    return min(found) if found else (4 if draw("gold", digest) < 0.125 else 5)


def _reword(prompt: str, digest: str) -> dict[str, object]:
    shown = _TAGGED.findall(prompt)
    text, label = shown[-1] if shown else ("nothing to reword", "fake")
    if draw("copy", digest) < 0.03:
        return {"reasoning": text, "answer": label}
    if draw("flip", digest) < 0.03:
        label = "real" if label != "real" else "fake"
    words = [_other(word, digest, number) for number, word in enumerate(text.split(" "))]
    opening = _OPENINGS[int(draw("opening", digest) * len(_OPENINGS))]
    return {"reasoning": f"{opening} {words[0].lower()} {' '.join(words[1:])}".strip(), "answer": label}


def _other(word: str, digest: str, number: int) -> str:
    bare = word.rstrip(".,;")
    group = _OTHERS.get(bare)
    if group is None:
        return word
    return group[int(draw("synonym", digest, number) * len(group))] + word[len(bare) :]
