"""From an assessment to a rating 1-5.

=======  =====================================================================================
rating   when
=======  =====================================================================================
5        right class; next to no lapse
4        right class; lapses up to ``_SMALL`` of the points (``_ONE_SLIP`` is always allowed), at
         least half of the points told, and at most one hedge
3        right class; otherwise: generic, partly wrong or hedged
2        right class, but wrong statements outweigh the right ones and hardly a point is told;
         or wrong class with a valid observation among the others and a hedged tone
1        wrong class: nothing valid, or told with confidence
=======  =====================================================================================

A lapse is a wrong statement or a missing point (1 each), a point told in part, a hedge that the full
rationale does not have, or a vague sentence too many (½ each). Length has no weight.
"""

from __future__ import annotations

from dfj_bootstrap.roles.rules.assess import Assessment, FindingKind

_SMALL = 0.5
_ONE_SLIP = 1.5  # lapses that a text of few points may have at rating 4
_LEAST_POINTS = 3  # with fewer points than this a single lapse would weigh too much
_FREE_VAGUE = 0.34  # share of sentences that may be vague before it counts


def lapses(assessment: Assessment) -> float:
    """Weighted count of what is wrong with a text, in points."""
    vague = len(assessment.of(FindingKind.VAGUE)) - _FREE_VAGUE * len(assessment.findings)
    halves = len(assessment.partial) + assessment.excess_hedges + max(0.0, vague)
    return len(assessment.wrong) + len(assessment.missing) + 0.5 * halves


def rate(assessment: Assessment) -> int:
    """The rating of an assessed text."""
    return _rate_right(assessment) if assessment.right_class else _rate_wrong(assessment)


def _rate_right(assessment: Assessment) -> int:
    count = assessment.point_count
    share = (len(assessment.told) + 0.5 * len(assessment.partial)) / count if count else 0.0
    lost = lapses(assessment)
    if lost < 0.5 and count:
        return 5
    if (
        share >= 0.5
        and lost <= max(_ONE_SLIP, _SMALL * max(count, _LEAST_POINTS))
        and assessment.excess_hedges <= 1
    ):
        return 4
    if share < 0.25 and len(assessment.wrong) > 1 + len(assessment.of(FindingKind.SUPPORTED)):
        return 2
    return 3


def _rate_wrong(assessment: Assessment) -> int:
    valid = bool(assessment.of(FindingKind.SUPPORTED))
    hesitant = assessment.hedged >= max(1, round(0.25 * len(assessment.findings)))
    return 2 if valid and hesitant else 1
