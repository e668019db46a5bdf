"""The words that ``wording`` knows, as tables and nothing else: English, about photographs.

A word is looked up as it stands first, then by its stem, so a table may hold either form.
"""

from __future__ import annotations

from dfj_bootstrap.language.word_tables import words_of

SIDES = """
lateral!: left leftmost leftward leftwards | right rightmost rightward rightwards
vertical!: top upper topmost uppermost | bottom lower bottommost lowermost
depth: foreground | background backdrop
order: before_ | behind
height: above overhead | below beneath under underneath
reach: near nearby nearest close closest | far distant farthest furthest remote
within: inside interior indoor indoors within | outside exterior outdoor outdoors
rotation: clockwise | anticlockwise
north: north northern | south southern
east: east eastern | west western
end: front frontal | rear hind
bearing: horizontal horizontally | vertical vertically upright
heading: toward towards inward inwards | away outward outwards
upness: up upward upwards | down downward downwards
"""
"""Axes of place: one side | the other. With ``!`` a side may neither be lost nor appear from nowhere."""

OPPOSITES = """
match: match align agree coincide correspond fit accord consistent coherent conform compatible harmonise
  | mismatch mismatching misaligned disagree inconsistent contradict conflict clash incoherent incompatible
same: same identical equal alike duplicate | different differ unlike dissimilar unequal
natural: natural realistic plausible believable credible convincing lifelike normal ordinary
  | unnatural unrealistic implausible unbelievable odd strange weird abnormal anomalous suspicious peculiar
sharp: sharp crisp focused defined clear distinct crisply sharply
  | blurry blurred blur unclear fuzzy smear smeared indistinct smudge smudged
legible: legible readable | illegible unreadable garbled gibberish nonsense nonsensical meaningless
bright: bright brighten brightly lit illuminated | dark dim darken
big: large big huge oversized enormous | small tiny undersized
long: long lengthy elongated | short shortened
thick: thick | thin slender
wide: wide broad | narrow
smooth: smooth | rough coarse bumpy
even: even uniform regular evenly uniformly regularly steady | uneven irregular unevenly irregularly patchy
straight: straight | curved bent crooked wavy bowed
intact: intact undistorted undamaged | distorted warped deformed twisted misshapen distortion
apart: separate separated apart detached distinguishable
  | merge fuse melt join stick fused merged glued
complete: complete finished | incomplete truncated unfinished
visible: visible evident noticeable | invisible hidden unseen concealed
possible: possible | impossible
correct: correct accurate proper properly correctly | incorrect wrong inaccurate improper wrongly incorrectly
continuous: continuous unbroken uninterrupted continue continuously | break broken interrupt discontinuous gap
touching: touch rest touching planted | float hover floating
added: add insert paste appear present | remove erase delete vanish disappear
open: open | closed shut
warm: warm | cool cold
strong: strong pronounced | weak faint
hard: hard harsh | soft softly gentle
opaque: opaque solid | transparent translucent
glossy: glossy shiny | matte dull
more: more greater | less fewer
deep: deep | shallow
wet: wet damp | dry
parallel: parallel | converge diverge
symmetric: symmetric symmetrical symmetry | asymmetric asymmetrical lopsided
support: support confirm | refute undermine
increase: increase grow gain | decrease shrink reduce
young: young | old elderly
day: day daytime daylight noon | night nighttime
all: all every each always everywhere entirely | some few never nowhere sometimes occasionally
many: many several numerous countless multiple | few hardly
both: both | neither
something: something somebody everything | nothing nobody none
"""
"""Statements and their contraries. An unlisted word has an opposite too: itself, denied."""

CLASSES = {
    "real": "real authentic genuine unedited unaltered unmanipulated untouched unretouched",
    "fake": "fake generated synthetic artificial ai generator fabricated",
    "edited": "edited edit manipulated manipulation altered alteration retouched doctored tampered modified"
    " composite photoshopped editing",
}
"""Words that say what an image is."""

DENIALS = words_of("not no never without lack lacks lacking lacked nor")
"""Deny what follows."""

WEAK_DENIALS = words_of("little hardly barely scarcely")
"""Leave open what follows."""

BLANKET_DENIALS = words_of("neither none nothing nobody nowhere")
"""Deny a whole clause, whose words are then neither said nor denied."""

ABSENCES = words_of("missing absent gone nonexistent lacking omitted")
"""Deny the noun before (``the handle is missing``) or after (``a missing handle``)."""

HEDGES = words_of(
    "perhaps maybe might may possibly probably likely unlikely seem seems seemed seemingly apparently"
    " unsure uncertain arguably presumably conceivably plausibly doubtful tentatively unclear_whether"
)
"""Plain hedges: a text that has them stays hedged, and one that hasn't stays plain."""

SOFT_HEDGES = words_of(
    "appear appears appeared could would look looks looked seemslike_ suggest suggests suggesting"
    " hint hints impression consistent somewhat rather potentially possible can suspicious doubt"
    " doubts"
)
"""Words that can stand in for a hedge, but needn't be one."""

BOOSTERS = words_of(
    "definitely undoubtedly certainly unquestionably unmistakably absolutely indisputably obviously"
)
"""Words of certainty: they may not take the place of a hedge."""

_IN_ORDER = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty"
)
_ORDINALS = "second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"

COUNTS = {word: value for value, word in enumerate(_IN_ORDER.split())}
"""Cardinal words up to twenty."""

NUMBER_WORDS = COUNTS | {
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
    "dozen": 12,
}
"""Cardinal words."""

ORDINAL_WORDS = {word: value for value, word in enumerate(_ORDINALS.split(), start=2)}
"""Ordinal words from the second on; a ``first`` says too little to be checked."""

MAYBE_NUMBERS = {
    "both": 2.0,
    "pair_": 2.0,
    "pair": 2.0,
    "twin": 2.0,
    "twins": 2.0,
    "couple": 2.0,
    "twice": 2.0,
}
"""Words that can stand in for a number, but needn't be one."""

MAYBE_SECOND = frozenset({"another", "other", "further", "duplicate", "copy"})
"""Words that can stand in for ``second``."""

COLOURS = """
red reddish crimson scarlet ruby redder maroon
orange orangish amber
yellow yellowish golden gold yellower
green greenish emerald
blue bluish azure navy
purple purplish violet lilac magenta
pink pinkish rosy
brown brownish tan beige chestnut
black blackish
white whitish ivory whiter
grey gray greyish grayish silver silvery
turquoise teal cyan
"""
"""Colours, one a line with its other names."""

THINGS = """
hand hands palm fist | finger fingers fingertip digit fingered | thumb | wrist | arm forearm | elbow
shoulder | leg thigh shin | knee | foot feet hoof hooves paw | toe | head | face facial
eye eyes iris pupil | ear | nose nostril muzzle snout | mouth lips lip smile | tooth teeth
chin jaw | cheek | forehead brow eyebrow | neck throat | hair hairs strand hairline
beard moustache | skin complexion | chest torso body | tail | wing feather plumage | fur coat | mane
whisker whiskers | horn antler | beak | shadow shade | reflection mirrored reflect reflects
highlight glare specular | light lighting illumination lights | sunlight daylight
lamp lamps lamplight | sun | moon | star stars | sky | cloud clouds | horizon skyline
sea ocean wave waves | water lake river pond stream | shore beach coast bank sand
mountain mountains hill hills | tree trees branch twig | leaf leaves foliage | vein veins
grass lawn meadow | flower flowers bloom blossom | petal petals | dahlia | tulip | stem stalk
rock rocks stone stones boulder | soil ground floor | snow | ice | fire flame | smoke
road street pavement sidewalk lane asphalt | path trail | bridge | house houses home cottage
building buildings facade tower skyscraper pagoda storey storeys eaves temple | church cathedral
castle | roof roofs rooftop | wall walls | door doors doorway gate | window windows pane
fence railing railings | stair stairs staircase | ceiling | car cars vehicle automobile
truck lorry | bus | train locomotive carriage wagon | track tracks rail rails | bicycle bike cyclist
motorcycle motorbike | boat boats ship ships vessel hull | airplane aircraft jet
wheel wheels tyre tire | rocket | man gentleman guy | woman lady | person people someone figure
child boy girl kid | baby | crowd group | dog puppy | cat kitten tabby | horse pony | zebra zebras
cow cattle | sheep goat | pig boar | bird pigeon gull | owl | eagle | bear | lion | tiger | elephant
fish | insect bee butterfly | animal creature | cup mug | glass tumbler | saucer | plate dish bowl
bottle | jar vase | spoon | fork | knife | handle | table tabletop | desk | chair armchair seat
sofa couch | bed pillow | lamp_ | book books page pages | clock watch dial | phone smartphone
computer laptop keyboard | screen monitor display | camera lens | tripod | hat cap | helmet | hood
shirt blouse | sweater pullover jumper | jacket blazer | dress gown skirt | trousers pants jeans
sleeve cuff | collar | shoe shoes boot boots sneaker | glove | tie scarf | button buttons zip zipper
glasses spectacles sunglasses | earring earrings | necklace pendant chain | ring bracelet
bag handbag backpack suitcase | umbrella | guitar violin instrument | string strings
headstock fretboard | ball football | coin coins | flag banner
sign signboard signage billboard placard
text letter letters lettering writing inscription word words caption | logo emblem label
number_ plate_ | food bread cake pizza sandwich | fruit apple | banana | candle | curtain
carpet rug | mirror | painting poster picture_ | brick bricks tile tiles | wood wooden plank
metal metallic | fabric cloth textile knit knitting stitch stitches | astronaut | suit spacesuit
statue sculpture | toy doll | background backdrop | foreground | halo glow fringe | seam
noise noisy graininess | galaxy galaxies | tent | pole post | antenna wire cable | cross-bracing lattice
pad
"""
"""Named things and body parts: groups between bars or line ends, in each the names of one thing."""

MILD_THINGS = words_of("light background foreground soil person text")
"""Things so general that to name them adds nothing."""

KIN = """
hand: finger thumb wrist arm
face: eye nose mouth cheek forehead skin chin head
head: hair ear face neck
foot: toe leg
animal: dog cat horse zebra cow sheep pig bird owl eagle bear lion tiger elephant fish insect
bird: owl eagle wing beak
person: man woman child baby crowd astronaut
child: baby
flower: dahlia tulip petal
tree: leaf
leaf: vein
building: house church castle roof
chest: person
car: wheel truck
train: track
light: sun sunlight lamp highlight halo
water: sea fish
fur: hair skin whisker mane
hat: helmet hood
table: desk
face: whisker
sign: text
text: logo
cup: saucer handle
glass: window
soil: grass path road
bag: fabric
suit: fabric jacket astronaut
hat: fabric
shirt: fabric
dress: fabric
highlight: reflection
mirror: reflection
"""
"""Things of which one can be named for the other: a kind and its kinds, a whole and its parts."""

NOT_CONTENT = words_of(
    "a an the this that these those it its they them their there here he she his her him we our us"
    " you your i me my is are was were be been being am do does did done has have had having will"
    " would shall should can could may might must of to for with in on at by from into onto as and or"
    " but so if then than too very quite really just also even though although while whereas because"
    " since which who whom whose what when where how why s t d ll ve re m other another such own same_"
    " about out off over through across along between among around during per via only still yet again"
    " both_ either each_other together image photo photograph picture scene shot frame overall however"
    " therefore thus hence moreover additionally furthermore make makes made show shows shown showing"
    " see seen look looks looked appear appears seem seems part parts area region section side sides"
    " place thing things way"
)
"""Words without a statement of their own."""

SCOPE_ENDS = words_of(
    "any inside outside within beside beyond but while whereas although though because so which that"
    " who where when if as than around between above below at in on from behind near along under"
    " beneath across over by before_ is are was were be for with and or to against into"
)
"""Words at which a denial no longer surely holds."""
