"""Holding a candidate text against the points of a full rationale: what is there, missing, wrong or vague.

Method: every sentence is matched to the points by shared specific stems, then checked for a wrong side,
number, subject, negation or a turned judgement. Only texts, marks and the label enter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.language.rough_vocabulary import SIDE_PAIRS
from dfj_bootstrap.roles.rules.claims import Claim, Point, overlap, points, read_text

_MATCH = 0.5  # share of the shorter claim's stems from which a sentence is about a point
_VERBATIM = 0.8  # below this a sentence that names the class is read as a conclusion, not as a claim
_COVERED = 0.6  # share of a point's stems that a text must hold to tell it fully
_TOUCHED = 0.3  # … to tell it in part
_GENERAL = 2  # a sentence with fewer specific stems claims nothing particular


class FindingKind(StrEnum):
    """What a sentence of a candidate turned out to be."""

    SUPPORTED = "supported"
    MISPLACED = "misplaced"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"
    VAGUE = "vague"
    CONCLUSION = "conclusion"


WRONG = frozenset({FindingKind.MISPLACED, FindingKind.CONTRADICTED, FindingKind.UNSUPPORTED})


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence of the candidate and what it turned out to be."""

    claim: Claim
    kind: FindingKind


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that the rubric and the critique look at.

    Attributes:
        told, partial, missing: points told rightly, rightly in part, and not at all; a point of which only
            something wrong is said is in none of them: the wrong statement counts.
        right_class: the answer is the image's own label.
    """

    findings: tuple[Finding, ...]
    told: tuple[Point, ...]
    partial: tuple[Point, ...]
    missing: tuple[Point, ...]
    point_count: int
    excess_hedges: int
    right_class: bool

    def of(self, kind: FindingKind) -> list[Claim]:
        return [finding.claim for finding in self.findings if finding.kind is kind]

    @property
    def wrong(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind in WRONG]

    @property
    def hedged(self) -> int:
        return sum(finding.claim.hedged for finding in self.findings)


def assess(seed: Seed, gold: Rationale, candidate: Rationale) -> Assessment:
    """Read a candidate against what is known of its image."""
    known = points(gold.reasoning, seed.annotations)
    findings = tuple(Finding(claim, _kind(claim, known)) for claim in read_text(candidate.reasoning))
    supported = [finding.claim for finding in findings if finding.kind is FindingKind.SUPPORTED]
    coverage = [_coverage(point, supported) for point in known]
    faulty = [f.claim for f in findings if f.kind in (FindingKind.MISPLACED, FindingKind.CONTRADICTED)]
    unsaid = [
        p for p, c in zip(known, coverage, strict=True) if c < _TOUCHED and _coverage(p, faulty) < _TOUCHED
    ]
    hedges = sum(finding.claim.hedged for finding in findings)
    return Assessment(
        findings=findings,
        told=tuple(p for p, c in zip(known, coverage, strict=True) if c >= _COVERED),
        partial=tuple(p for p, c in zip(known, coverage, strict=True) if _TOUCHED <= c < _COVERED),
        missing=tuple(unsaid),
        point_count=len(known),
        excess_hedges=max(0, hedges - sum(claim.hedged for claim in read_text(gold.reasoning))),
        right_class=candidate.answer is seed.label,
    )


def _kind(claim: Claim, known: Sequence[Point]) -> FindingKind:
    best = max((overlap(claim, w) for point in known for w in point.wordings), default=0.0)
    if claim.concludes and best < _VERBATIM:
        return FindingKind.CONCLUSION
    if best < _MATCH:
        return FindingKind.VAGUE if len(claim.stems) < _GENERAL else FindingKind.UNSUPPORTED
    faults = [_fault(claim, point, known) for point in _closest(claim, known)]
    return FindingKind.SUPPORTED if None in faults else faults[0] or FindingKind.SUPPORTED


def _closest(claim: Claim, known: Sequence[Point]) -> list[Point]:
    """The points whose wordings share the most with a claim; several only on a tie."""
    shared = [max(_shared(claim, w) for w in point.wordings) for point in known]
    return [point for point, count in zip(known, shared, strict=True) if count == max(shared)]


def _shared(claim: Claim, wording: Claim) -> int:
    return len(claim.stems & wording.stems) if overlap(claim, wording) >= _MATCH else 0


def _fault(claim: Claim, point: Point, known: Sequence[Point]) -> FindingKind | None:
    """Why a sentence about a point is wrong, if it is: against the wording that it shares the most with."""
    wording = max(point.wordings, key=lambda w: _shared(claim, w))
    fault = _against(claim, wording)
    if fault is None and _opposed(claim.region, point.region):
        return FindingKind.MISPLACED
    if fault is None and _other_subject(claim, point, known):
        return FindingKind.MISPLACED
    return fault


def _against(claim: Claim, wording: Claim) -> FindingKind | None:
    if claim.polarity * wording.polarity < 0:
        return FindingKind.CONTRADICTED
    if claim.polarity == wording.polarity == 0 and bool(claim.negations) != bool(wording.negations):
        return FindingKind.CONTRADICTED
    if _opposed(claim.sides, wording.sides):
        return FindingKind.MISPLACED
    if claim.numbers and wording.numbers and claim.numbers - wording.numbers:
        return FindingKind.MISPLACED
    return None


def _opposed(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether one names a side where the other names only its opposite."""
    return any(
        (one in a and other not in a and other in b and one not in b)
        or (other in a and one not in a and one in b and other not in b)
        for one, other in SIDE_PAIRS
    )


def _other_subject(claim: Claim, point: Point, known: Sequence[Point]) -> bool:
    """Whether the sentence tells what is true of this point, but of another point's subject."""
    subjects = {w.order[0] for w in point.wordings if w.order}
    if subjects & claim.stems or not claim.order:
        return False
    others = {p.wordings[0].order[0] for p in known if p is not point and p.wordings[0].order}
    return claim.order[0] in others - {s for w in point.wordings for s in w.stems}


def _coverage(point: Point, supported: Sequence[Claim]) -> float:
    """The best share of one of its wordings that the supported sentences hold together."""
    best = 0.0
    for wording in point.wordings:
        held = {s for claim in supported if overlap(claim, wording) >= _MATCH for s in claim.stems}
        best = max(best, len(wording.stems & held) / len(wording.stems))
    return best
