"""The writer: a gold rationale from annotations, every one of them told and nothing else claimed."""

from __future__ import annotations

from random import Random

from dfj_bootstrap.domain.rationale import Rationale
from dfj_bootstrap.domain.seed import Seed
from dfj_bootstrap.domain.trajectory import Brief, Candidate, Provenance
from dfj_bootstrap.errors import Unusable
from dfj_bootstrap.policy.ordering import hash64
from dfj_bootstrap.roles.rules.material import marked
from dfj_bootstrap.roles.rules.remarks import CONCLUSIONS

NO_ANNOTATIONS = "writer_no_annotations"
"""Why a seed got no gold: nothing was marked in it."""


class RulesWriter:
    """Tells the annotations in their order, each with its place, and concludes with the image's own label."""

    async def write(self, seed: Seed, brief: Brief) -> Candidate:
        """Write the gold rationale.

        Raises:
            Unusable: ``writer_no_annotations`` where no annotation has a text.
        """
        told = [sentence for annotation in seed.annotations if (sentence := marked(annotation))]
        if not told:
            raise Unusable(NO_ANNOTATIONS)
        rng = Random(hash64("write", seed.id, brief.sample))
        told.append(rng.choice(CONCLUSIONS[seed.label]["plain"]))
        return Candidate(Rationale(" ".join(told), seed.label), Provenance(model="rules"))
