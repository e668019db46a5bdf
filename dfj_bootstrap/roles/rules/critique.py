"""The evaluator's words: what is right, missing, unsupported or misplaced, in one to three sentences.

A judge that sees only image, label and candidate learns from these texts, so they speak of the image and the
text alone, and never of what the candidate was held against, nor of a number of points.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dfj_bootstrap.domain.rationale import Label, Rationale
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.roles.rules.assess import Assessment, FindingKind
from dfj_bootstrap.roles.rules.claims import Claim, Point
from dfj_bootstrap.roles.rules.topics import concrete

_UNSAID = re.compile(r"gold|referenc|ground|truth|annotat|level|rating|scor", re.IGNORECASE)
_CLASS = {
    Label.REAL: "a real photograph",
    Label.FAKE: "a generated picture",
    Label.EDITED: "an edited photograph",
}
_CLOSINGS = {
    5: (
        "Every remark can be checked in the image, and nothing that matters is left out.",
        "The explanation is accurate, specific and complete.",
        "Its remarks are concrete, correctly placed and lead straight to the conclusion.",
    ),
    4: (
        "Apart from that small lapse the explanation is accurate and specific.",
        "The explanation is mostly right, and the slip does not upset its conclusion.",
        "On the whole it is well grounded, with one detail less than it should have.",
    ),
    3: (
        "The conclusion is right, but the explanation stays too general to carry it.",
        "It ends in the right place, yet only part of what it says is precise and correct.",
        "The explanation is partly right and partly vague, so it convinces only halfway.",
    ),
    2: (
        "Some of what it sees is there, but it hesitates and draws the wrong conclusion from it.",
        "A valid remark stands beside doubtful ones, and the conclusion goes the wrong way.",
        "It mixes sound and unsound points and ends up on the wrong side, though not firmly.",
    ),
    1: (
        "The explanation is misleading from beginning to end.",
        "Its claims do not describe this image, and the conclusion is wrong.",
        "It asserts things that cannot be seen and misleads the reader.",
    ),
}


def critique(label: Label, candidate: Rationale, assessment: Assessment, rating: int) -> str:
    """Argue for a rating of a candidate: its own, or one that is given.

    Returns:
        Two or three sentences.
    """
    turn = hash64("critique", candidate.reasoning, candidate.answer)
    strength = _strength(assessment, turn, after_faults=rating < 3)
    weakness = _weakness(label, candidate.answer, assessment, turn)
    closing = _pick(_CLOSINGS[rating], turn)
    if rating == 5:
        body = [strength] if strength else []
    elif rating >= 3:
        body = [part for part in (strength, weakness) if part]
    else:
        body = [part for part in (weakness, strength if rating == 2 else "") if part]
    return " ".join([*body[:2], closing])


def _strength(assessment: Assessment, turn: int, after_faults: bool) -> str:
    named = _named([p.text for p in (*assessment.told, *assessment.partial)], turn)
    if not named:
        return ""
    frames = (
        f"The text rightly describes {named}.",
        f"What it says about {named} is visible in the image.",
        f"It correctly points to {named}.",
    )
    if after_faults:
        frames = (
            f"It is right about {named}, though.",
            f"Still, what it says about {named} can be seen.",
            f"Only its remark on {named} holds.",
        )
    return _pick(frames, turn)


def _weakness(label: Label, answer: Label, assessment: Assessment, turn: int) -> str:
    """The faults in one sentence, the gravest first."""
    parts = []
    if not assessment.right_class:
        parts.append(f"calls {_CLASS[label]} {_CLASS[answer]}")
    parts += _faults(assessment, turn)
    if assessment.missing and len(parts) < 2:
        parts.append(f"leaves out {_names_of_points(assessment.missing, turn)}")
    elif assessment.partial and not parts:
        parts.append(f"tells only part of what can be seen of {_names_of_points(assessment.partial, turn)}")
    if assessment.excess_hedges > 1 and assessment.right_class:
        parts.append("hedges where the evidence is plain")
    elif assessment.of(FindingKind.VAGUE) and len(parts) < 2:
        parts.append("stays vague where it should be specific")
    return f"However, it {_joined(parts[:3])}." if parts and assessment.right_class else _wrong(parts)


def _wrong(parts: Sequence[str]) -> str:
    return f"The text {_joined(parts[:3])}." if parts else ""


def _faults(assessment: Assessment, turn: int) -> list[str]:
    phrases = {
        FindingKind.CONTRADICTED: "says the opposite of what is visible about",
        FindingKind.MISPLACED: "misplaces or miscounts",
        FindingKind.UNSUPPORTED: "makes unsupported claims about",
    }
    found = ((phrase, assessment.of(kind)) for kind, phrase in phrases.items())
    return [f"{phrase} {_names_of_claims(claims, turn)}" for phrase, claims in found if claims][:2]


def _names_of_points(points: Sequence[Point], turn: int) -> str:
    return _named([point.text for point in points], turn) or "something that matters"


def _names_of_claims(claims: Sequence[Claim], turn: int) -> str:
    return _named([claim.text for claim in claims], turn) or "parts of the scene"


def _named(texts: Sequence[str], turn: int) -> str:
    """Up to two things that the texts are about, as plain lower-case noun phrases."""
    names: list[str] = []
    for text in texts:
        fresh = [t for t in concrete(text) if not _UNSAID.search(t) and t not in names]
        names += fresh[:1]
    start = turn % len(names) if len(names) > 2 else 0
    return _joined((names[start:] + names[:start])[:2])


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _pick(options: Sequence[str], turn: int) -> str:
    return options[turn % len(options)]
