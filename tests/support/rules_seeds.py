"""Seeds with full rationales in plain English, for tests of the embedded rules."""

from __future__ import annotations

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.domain.seed import Annotation, Box, ImageRef, Seed

_NO_IMAGE = ImageRef("/nowhere/p.png", "p.png", "0" * 32, 8, 8, ".png", True)


def rules_seed(
    seed_id: str, label: Label, gold: str | None, annotations: tuple[Annotation, ...] = ()
) -> Seed:
    """A seed whose picture nobody opens."""
    return Seed(seed_id, _NO_IMAGE, label, gold, annotations, seed_id)


BICYCLE = rules_seed(
    "bicycle",
    Label.EDITED,
    "The front wheel of the bicycle at the left has only three spokes, while the rear wheel has all of them. "
    "A pale rectangle surrounds the saddle and is a little lighter than the brick wall behind it. "
    "The shadow of the handlebar falls to the right, but the lamp post throws its shadow to the left. "
    "The pavement under the pedals is smeared into a grey patch without any joints between the stones. "
    "The bicycle was put in afterwards.",
    (
        Annotation(
            "the front wheel has only three spokes", "Object Completeness & Counts", Box(40, 500, 260, 800)
        ),
        Annotation(
            "the pavement under the pedals is a smeared grey patch",
            "Contact & Support",
            Box(60, 780, 400, 950),
        ),
    ),
)
MARKET = rules_seed(
    "market",
    Label.FAKE,
    "The letters on the banner above the market stall do not belong to any alphabet. "
    "The seller's left hand has six fingers and its thumb merges with a pear. "
    "Apples in the wooden crate run into one another and have no stems. "
    "The awning has five stripes at one end and eight at the other. "
    "Two customers in the background share a single leg. "
    "Such mistakes show that the picture was generated.",
)
HARBOUR = rules_seed(
    "harbour",
    Label.REAL,
    "Three fishing boats lie at a stone quay in the early morning. "
    "Their ropes hang in even curves and end at rusty iron rings. "
    "The reflections of the masts in the water are broken by small waves in the same way everywhere. "
    "Peeling blue paint on the nearest hull shows older layers beneath. "
    "The lighthouse on the horizon is small and slightly hazy. "
    "Everything fits together, so this is a real photograph.",
)
KITCHEN = rules_seed(
    "kitchen",
    Label.EDITED,
    "The kettle on the stove casts no shadow, although the pan beside it casts a long one. "
    "Its handle is cut off along a straight line before it reaches the lid. "
    "The tiles behind the spout are blurred and their grout lines do not meet. "
    "The kettle was inserted by an edit.",
    (Annotation("the kettle casts no shadow on the stove", "Shadows", Box(600, 400, 800, 640)),),
)
FOREST = rules_seed(
    "forest",
    Label.REAL,
    "A narrow path leads between tall beeches towards a wooden bridge. "
    "Moss grows on the shaded side of the trunks only, and dry leaves collect along the edges of the path. "
    "Sunlight falls through the crowns in patches that agree in direction. "
    "The planks of the bridge are worn in the middle, where people walk. "
    "A branch in the foreground is out of focus, as it should be so close to the lens. "
    "Light, wear and depth are consistent with a genuine photograph.",
)
PORTRAIT = rules_seed(
    "portrait",
    Label.FAKE,
    "The earring on the woman's right ear is round, while the one on the left ear is a square. "
    "Strands of hair pass through the frame of her glasses. "
    "The collar of the blouse has a button on both sides and no holes. "
    "Her pupils are not round and their reflections show two different windows. "
    "The wall behind her turns from brick into smooth plaster without any edge.",
)
ALL = (BICYCLE, MARKET, HARBOUR, KITCHEN, FOREST, PORTRAIT)
UNWRITTEN = rules_seed(
    "unwritten",
    Label.FAKE,
    None,
    (
        Annotation("The dog has five legs.", "Object Completeness & Counts", Box(700, 700, 990, 990)),
        Annotation("the collar fades into the fur", "Edges & Boundaries", Box(10, 20, 200, 220)),
        Annotation("the grass repeats in tiles", None, None),
    ),
)
