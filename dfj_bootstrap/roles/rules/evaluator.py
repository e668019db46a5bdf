"""The evaluator: rates a text against what is known of the image, and says why."""

from __future__ import annotations

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Evaluation, Provenance
from dfj_bootstrap.roles.rules.assess import Assessment, assess
from dfj_bootstrap.roles.rules.critique import critique
from dfj_bootstrap.roles.rules.rubric import rate


class RulesEvaluator:
    """Rates by claim overlap; without state, and blind to the intended rating and to earlier rounds."""

    async def evaluate(
        self, seed: Seed, gold: Rationale, candidate: Rationale, round_index: int
    ) -> Evaluation:
        """Rate a candidate 1-5 by the rubric in ``rubric.py``; ``round_index`` has no influence."""
        found = assess(seed, gold, candidate)
        rating = rate(found)
        feedback = critique(seed.label, candidate, found, rating)
        return Evaluation(rating, feedback, _tally(found), Provenance(model="rules"))

    async def justify(self, seed: Seed, gold: Rationale, candidate: Rationale, rating: int) -> str:
        """Argue for a given rating 1-5 of a candidate."""
        return critique(seed.label, candidate, assess(seed, gold, candidate), rating)


def _tally(found: Assessment) -> str:
    """The figures behind a rating, for the audit."""
    points = f"told {len(found.told)}, in part {len(found.partial)}, missing {len(found.missing)}"
    hedged = f"hedged sentences {found.hedged} of {len(found.findings)}"
    side = "right" if found.right_class else "wrong"
    return f"Class {side}; points {points}; wrong statements {len(found.wrong)}; {hedged}."
