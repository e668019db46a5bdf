"""What English words mean to the embedded rules: sides, negation, hedges, good and bad looks, class words.

General knowledge, not templates: nothing here is taken from what the generator writes. The tables are rougher
than those of ``vocabulary``, by which verdicts are made, and hold rough stems.
"""

from __future__ import annotations

import re

from dfj_bootstrap.language.word_tables import rough_stems_of, words_of

FUNCTION_WORDS = words_of(
    """a an the this that these those it its it's they them their there here he she his her we i you one
    some any all each every both other others another such same own and or but so as if of in on at
    by to from with into onto over under than then too also only just even very more most much many
    few less least rather quite is are was were be been being am do does did done has have had
    having can could may might must shall should will would which who whose whom what when where
    while because although though since until between among around across along near beside behind
    before after above below against through out up down off about for not no nor never none nothing
    without cannot neither nowhere hardly again further once how why"""
)
"""Function words: they carry no claim."""

GENERIC_STEMS = rough_stems_of(
    """image picture photo photograph photographic shot scene frame view look looks appear appears seem
    seems show shows see seen visible visibly notice noticed noticeable noticeably find found give
    given make made take taken detail details detailed area areas part parts section sections place
    places thing things object objects element elements region regions feature features point points
    aspect overall whole entire general generally certain several various different way kind sort
    bit little somewhat fairly slightly really quite natural naturally normal ordinary usual unusual
    strange odd off fine real realistic realism reality clearly clear impression quality careful
    closer close closely attention eye glance present situation actual actually case explanation
    reason evidence sign signs clue support supports suggest suggests indicate indicates consistent
    expected expect common typical everything something anything subject content composition setting
    however overall still enough well good right wrong problem problems issue issues remark
    observation convincing decisive example instance instances easy plain count counts offer offers
    otherwise result results first rest quick long look looking alone anyone moment trained eye
    viewer matter matters unusual possible possibly perhaps maybe probably likely sure certain"""
)
"""Stems that say nothing particular about a picture."""

SIDE_PAIRS = (
    ("left", "right"),
    ("upper", "lower"),
    ("top", "bottom"),
    ("above", "below"),
    ("foreground", "background"),
    ("front", "behind"),
    ("inside", "outside"),
    ("leftmost", "rightmost"),
)
"""Pairs of sides of which a text must not name the wrong one."""

SIDE_WORDS = frozenset(side for pair in SIDE_PAIRS for side in pair)

NEGATIONS = words_of("no not never none nothing without nor neither cannot hardly nowhere lack lacks lacking")

HEDGED = re.compile(
    r"\b(?:might|may|maybe|perhaps|possibly|probably|presumably|could|somewhat"
    r"|a (?:little|bit)|sort of|kind of"
    r"|seems?|seemingly|arguably|apparently|likely"
    r"|not (?:completely|entirely|quite|fully|altogether) (?:sure|certain|clear)"
    r"|hard to (?:say|tell|judge)|unsure|uncertain|i (?:think|guess|suppose)|as far as)\b",
    re.IGNORECASE,
)
"""Wordings that take back part of a claim."""

CLASS_CUE = re.compile(
    r"\b(?:(?:ai|machine|computer)[- ]generated|generated"
    r"|synthetic|edit(?:ed|ing|s)?"
    r"|manipulat\w+|retouch\w*|alter(?:ed|ation)s?|tampered|fake|genuine|authentic\w*"
    r"|afterwards|pasted in|erased|put in|filled in|changed by"
    r"|real (?:photo|photograph|picture|image|scene|camera|close-up|one|object)\w*"
    r"|(?:be|is|looks|as|towards) real"
    r"|ordinary (?:photo|photograph|snapshot)|taken with a camera|camera (?:photo|picture|image))\b",
    re.IGNORECASE,
)
"""Wordings that say what kind of picture it is."""

BAD_LOOKS = rough_stems_of(
    """abnormal absent artificial awkward blotchy blotches blots blur blurred blurry break breaks broken
    chaotic confused confusing contradict contradicts copy cut defect differs difference distorted
    distortion doubled duplicate duplicated fade fades flat floating floats fused garbled glow ghost
    halo haloes identical implausible impossible imprecise inconsistent incorrect incomplete
    irregular isolated jagged melt melts merge merged merges merging mirror-written misaligned
    mismatch mismatched misplaced missing noise noisy overlap oversized pasted patchy plastic
    reversed seam smear smeared smears smudge smudged smudges softer stuck sticking strange
    suspended suspicious thin tilted twisted unclear uneven unconvincing unnatural unnaturally
    unrealistic unreadable warped waxy wedges wobble wobbly wrong wrongly hangs disproportionate
    disagree stray loose dissolves stops nowhere"""
)
"""Stems that describe a defect."""

GOOD_LOOKS = rough_stems_of(
    """agree agrees accurate aligned believable clean cleanly coherent complete consistent consistently
    convincing correct correctly crisp crisply detailed even evenly fine fits flawless follow
    follows gently genuine gradual intact legible match matches matching natural naturally normal
    normally order orderly ordinary plausible plausibly precise proper properly proportionate
    readable realistic realistically regular regularly right sharp smoothly solid steady true
    unbroken undisturbed undistorted untouched unremarkable softly"""
)
"""Stems that describe something as it should be."""
