"""Stock wording of the generator and the writer: invented remarks, hedges, fillers and conclusions.

``{t}`` stands for a topic such as ``the red cup``, ``{T}`` for it at the start of a sentence, and
``{v:look}`` for a verb that agrees with it. Topics hold plain words only (see ``topics.py``).
"""

from __future__ import annotations

import re

from dfj_bootstrap.domain.rationale import Label
from dfj_bootstrap.language.sentences import capitalised
from dfj_bootstrap.roles.rules.topics import is_plural

_SLOT: re.Pattern[str] = re.compile(r"\{(t|T|v:[a-z]+)\}")
_FORMS = {"be": ("is", "are"), "have": ("has", "have"), "do": ("does", "do")}


def with_topic(template: str, topic: str) -> str:
    """A template with a topic put into it."""
    plural = is_plural(topic)

    def slot(match: re.Match[str]) -> str:
        name = str(match.group(1))
        if name == "t":
            return topic
        if name == "T":
            return capitalised(topic)
        forms = _FORMS.get(name[2:], (f"{name[2:]}s", name[2:]))
        return forms[plural]

    return _SLOT.sub(slot, template)


FAULTS: dict[str, tuple[str, ...]] = {
    "Shadows": (
        "{T} {v:throw} a shadow towards the lamp instead of away from it.",
        "The shadow under {t} has a hard rim on one edge and none on the other.",
        "Shadows near {t} point in three directions at once.",
    ),
    "Lighting Match": (
        "{T} {v:be} lit from another direction than everything around.",
        "The brightness on {t} does not fit the sun's direction in the surroundings.",
    ),
    "Color Cast Consistency": (
        "{T} {v:have} a greenish tint that nothing nearby shares.",
        "The white balance changes abruptly around {t}.",
    ),
    "Relative Size / Scale": (
        "{T} {v:be} much too big for the surroundings and would not fit through the space beside it.",
        "Compared with neighbouring items, {t} {v:have} an impossible scale.",
    ),
    "Perspective / Straight-Line Convergence": (
        "The straight lines beside {t} run to different vanishing points.",
        "The perspective of {t} contradicts the horizon and the floor.",
    ),
    "Front–Back Overlap": (
        "{T} {v:cover} something that ought to be nearer to the camera.",
        "The overlap around {t} is impossible, because a distant item passes before a near one.",
    ),
    "Contact & Support": (
        "{T} {v:float} a little above the surface, with no weight and no point of contact.",
        "Nothing carries {t}, and the ground beneath shows no pressure.",
    ),
    "Focus / Blur with Depth": (
        "{T} {v:be} out of focus although neighbours at equal distance are sharp.",
        "The depth of field jumps around {t} without any reason in the lens.",
    ),
    "Reflections & Transparency": (
        "The mirror image of {t} shows a shape that is not there.",
        "Glass near {t} lets through colours that nothing behind it could cause.",
    ),
    "Material Shine": (
        "{T} {v:have} a waxy plastic gloss that suits no such material.",
        "Highlights on {t} sit where no lamp could put them.",
    ),
    "Texture / Pattern Follow-Through": (
        "The pattern on {t} repeats in identical tiles and then breaks off.",
        "The surface of {t} dissolves into a patchy smear of repeated strokes.",
    ),
    "Text & Small Details": (
        "Tiny lettering close to {t} consists of invented, unreadable characters.",
        "A printed label beside {t} turns into garbled strokes.",
    ),
    "Object Completeness & Counts": (
        "{T} {v:have} a spare limb that belongs to nothing and ends in mid-air.",
        "A second copy of {t} appears, duplicated down to the scratches.",
    ),
    "Edges & Boundaries": (
        "A glowing halo runs along the outline of {t}.",
        "The contour of {t} is jagged and melts into its neighbours.",
    ),
}
"""Invented defects, three or two per flag."""

PRAISES: dict[str, tuple[str, ...]] = {
    "Shadows": (
        "{T} {v:throw} a soft, believable shadow away from the lamp.",
        "All shadows near {t} point in one direction.",
    ),
    "Lighting Match": (
        "{T} {v:be} lit evenly and from the same direction as everything around.",
        "The brightness on {t} fits the sunlight in the surroundings.",
    ),
    "Color Cast Consistency": (
        "The tint of {t} agrees with everything nearby.",
        "The white balance stays steady from {t} to the corners.",
    ),
    "Relative Size / Scale": (
        "{T} {v:have} a plausible scale beside neighbouring items.",
        "The proportions of {t} are accurate throughout.",
    ),
    "Perspective / Straight-Line Convergence": (
        "The straight lines beside {t} converge properly towards one vanishing point.",
        "The perspective of {t} agrees with the horizon.",
    ),
    "Front–Back Overlap": (
        "{T} {v:cover} whatever lies further away in a plausible order.",
        "Near items hide distant ones correctly around {t}.",
    ),
    "Contact & Support": (
        "{T} {v:rest} solidly on the surface, with weight and proper contact.",
        "The ground beneath {t} gives way in a believable manner.",
    ),
    "Focus / Blur with Depth": (
        "Sharpness falls off gradually behind {t}, as through an ordinary lens.",
        "The depth of field around {t} is coherent.",
    ),
    "Reflections & Transparency": (
        "The reflections around {t} repeat the room accurately.",
        "Glass near {t} bends the light in a plausible manner.",
    ),
    "Material Shine": (
        "{T} {v:have} the gloss that one knows of such material.",
        "Highlights on {t} sit exactly where the lamp would put them.",
    ),
    "Texture / Pattern Follow-Through": (
        "The texture of {t} is intact, with fine grain down to the smallest fold.",
        "The surface of {t} continues without interruption and with believable wear.",
    ),
    "Text & Small Details": (
        "Tiny marks and lettering close to {t} are legible and crisp.",
        "Even the smallest scratches on {t} are precise.",
    ),
    "Object Completeness & Counts": (
        "{T} {v:be} complete, and all limbs and pieces are where they belong.",
        "Every component of {t} is intact and correctly counted.",
    ),
    "Edges & Boundaries": (
        "The outline of {t} is crisp and free from any halo.",
        "The contour of {t} is clean all the way round.",
    ),
}
"""Invented remarks that all is well."""

TURNED_GOOD = (
    "{T} {v:look} natural and correct, exactly as one would expect.",
    "{T} {v:be} flawless, sharp and true to life.",
    "There is nothing strange about {t}, which {v:look} right and convincing.",
    "{T} {v:appear} consistent and realistic, with every detail in order.",
)
TURNED_BAD = (
    "{T} {v:look} distorted and unnatural, as if put together wrongly.",
    "{T} {v:be} blurred, uneven and plainly implausible.",
    "There is something wrong with {t}, which {v:look} smeared and artificial.",
    "{T} {v:appear} inconsistent and warped, with details that contradict one another.",
)

VAGUE_BAD = (
    "Some areas look a bit unusual.",
    "A few details around {t} look off.",
    "Certain parts of {t} are not quite what one would expect.",
    "The overall impression is slightly unnatural.",
    "There are small problems in several places.",
    "{T} {v:do} not look completely realistic.",
)
VAGUE_GOOD = (
    "Most areas look fairly normal.",
    "The details around {t} look fine on the whole.",
    "Nothing much stands out about {t}.",
    "The overall impression is natural enough.",
    "There are no obvious problems in most places.",
    "{T} {v:look} more or less realistic.",
)

FILLERS = (
    "This can be seen at a glance.",
    "It is visible without looking closer.",
    "A closer look only makes this clearer.",
    "The point is easy to see in the image itself.",
    "Looking closer at the whole picture does not change this impression.",
    "One notices it at once when looking at the picture as a whole.",
    "These are the details in the image that matter most.",
    "There are several such details, and they all point the same way in this image.",
    "None of this needs a trained eye, since the details are clearly visible in the picture.",
    "That much is plain to see.",
    "Anyone who looks at the picture for a moment will find this.",
    "The rest of the picture offers no reason to think otherwise.",
    "It is the whole of these details, and not one of them alone, that counts.",
    "Both a quick look and a long one give this same result.",
    "This is among the first things that one sees in the image.",
)
"""Neutral sentences that bring a text to its length and claim nothing."""

TAKEN_BACK = (
    "It seems that {s}",
    "Perhaps {s}",
    "It may be that {s}",
    "Possibly {s}",
    "It could be that {s}",
    "As far as one can tell, {s}",
)
"""Ways to take back a claim; ``{s}`` is the claim as it continues."""

AFTERTHOUGHTS = {
    False: (
        "That may simply come from the camera or from heavy compression.",
        "It could also be an effect of the lens, though.",
        "Poor light might explain this as well.",
        "I am not completely sure how much this says.",
    ),
    True: (
        "I am not entirely sure that this is more than chance.",
        "That could perhaps be an effect of the light.",
        "Others might see it differently.",
        "It is hard to say how much this proves.",
    ),
}
"""Hedged sentences to add; by whether the answer is the right one."""

CONCLUSIONS: dict[Label, dict[str, tuple[str, ...]]] = {
    Label.REAL: {
        "plain": (
            "All of this fits a real photograph.",
            "Together these details speak for a genuine photograph.",
            "The picture is therefore best read as an authentic photograph of a real scene.",
            "For these reasons the image is a real photograph taken with a camera.",
        ),
        "hedged": (
            "Overall it seems to be a real photograph, though some doubt remains.",
            "It is probably a real photograph, but I am not completely sure.",
            "So it might well be a real picture, perhaps one of low quality.",
            "On balance this is likely a genuine photo, even if not everything in it is perfect.",
        ),
        "firm": (
            "This is definitely a real photograph.",
            "There is no doubt at all that this is an authentic, untouched photograph of a real scene.",
            "The image is certainly real.",
            "Anyone can tell that this is a genuine photograph, taken with a camera and never changed.",
        ),
    },
    Label.FAKE: {
        "plain": (
            "Together these faults show that the image was generated.",
            "All of this points to an AI-generated picture.",
            "The picture is therefore best explained as the output of an image generator, a generated scene.",
            "For these reasons the image is a generated one and not the work of a camera.",
        ),
        "hedged": (
            "Overall it seems to be a generated image, though some doubt remains.",
            "It is probably AI-generated, but I am not completely sure.",
            "So it might well be a synthetic picture, perhaps made by a generator.",
            "On balance this is likely a fake, even if much of it looks right.",
        ),
        "firm": (
            "This is definitely an AI-generated image.",
            "There is no doubt at all that this is a synthetic picture that no camera ever took.",
            "The image is certainly fake.",
            "Anyone can tell that this is a generated picture, made by a machine from beginning to end.",
        ),
    },
    Label.EDITED: {
        "plain": (
            "Together these faults show that the photograph was edited.",
            "All of this points to a local edit of an otherwise ordinary photograph.",
            "The picture is therefore best explained as a photograph that was edited afterwards.",
            "For these reasons the image is an edited photograph.",
        ),
        "hedged": (
            "Overall it seems to be an edited photograph, though some doubt remains.",
            "It is probably edited, but I am not completely sure.",
            "So it might well be a retouched picture, perhaps changed in one place.",
            "On balance this is likely an edited photo, even if much of it looks right.",
        ),
        "firm": (
            "This is definitely an edited photograph.",
            "There is no doubt at all that this photograph was manipulated afterwards.",
            "The image is certainly edited.",
            "Anyone can tell that this photograph was altered with an editing tool.",
        ),
    },
}
"""Last sentences by answer and tone."""

OPENINGS = (
    "Looking at the image as a whole, {s}",
    "To begin with, {s}",
    "In this picture, {s}",
    "On inspection, {s}",
)
