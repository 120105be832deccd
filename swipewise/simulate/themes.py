"""The planted themes: what the clips of a simulated platform look like, sound like and are about.

Each modality has ``THEMES`` themes. The numbers below are a theme's centre; every clip departs from it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VisualTheme:
    """A look: two hues (degrees) between which a texture swings, and the way the texture moves.

    ``lightness`` is the range from the texture's valleys to its peaks, ``cells`` its repeats across a tile.
    """

    name: str
    hues: tuple[float, float]
    saturation: float
    lightness: tuple[float, float]
    texture: str
    cells: int
    motion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioTheme:
    """A sound: partials as (frequency ratio, amplitude), a pattern of sixteenths, a tempo and a pitch range.

    ``tempo`` is in beats a minute, ``pitches`` are MIDI notes, ``attack`` and ``decay`` are seconds, ``breath`` is
    the share of noise in a note.
    """

    name: str
    partials: tuple[tuple[float, float], ...]
    breath: float
    attack: float
    decay: float
    pattern: str
    tempo: float
    pitches: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTheme:
    """A topic: things, doings (gerunds) and hashtags that captions about it are made of."""

    name: str
    things: tuple[str, ...]
    doings: tuple[str, ...]
    tags: tuple[str, ...]


def _harmonics(count: int, *, tilt: float, step: int = 1) -> tuple[tuple[float, float], ...]:
    """Whole multiples of the fundamental whose amplitude falls as n to the minus ``tilt``."""
    return tuple((float(n), n**-tilt) for n in range(1, count + 1, step))


VISUAL_THEMES = (
    VisualTheme(
        name="ember",
        hues=(5, 40),
        saturation=0.85,
        lightness=(0.2, 0.6),
        texture="stripes",
        cells=12,
        motion="pan",
    ),
    VisualTheme(
        name="reef",
        hues=(190, 225),
        saturation=0.8,
        lightness=(0.25, 0.7),
        texture="dots",
        cells=8,
        motion="drift",
    ),
    VisualTheme(
        name="neon",
        hues=(300, 130),
        saturation=0.95,
        lightness=(0.15, 0.6),
        texture="checker",
        cells=10,
        motion="flicker",
    ),
    VisualTheme(
        name="forest",
        hues=(90, 140),
        saturation=0.5,
        lightness=(0.15, 0.5),
        texture="clouds",
        cells=14,
        motion="breathe",
    ),
    VisualTheme(
        name="dusk",
        hues=(265, 330),
        saturation=0.6,
        lightness=(0.2, 0.65),
        texture="gradient",
        cells=2,
        motion="rotate",
    ),
    VisualTheme(
        name="ice",
        hues=(200, 180),
        saturation=0.3,
        lightness=(0.55, 0.95),
        texture="rings",
        cells=8,
        motion="pulse",
    ),
    VisualTheme(
        name="concrete",
        hues=(30, 220),
        saturation=0.08,
        lightness=(0.25, 0.8),
        texture="grain",
        cells=64,
        motion="shake",
    ),
    VisualTheme(
        name="candy",
        hues=(335, 55),
        saturation=0.85,
        lightness=(0.6, 0.85),
        texture="zigzag",
        cells=10,
        motion="scroll",
    ),
)

AUDIO_THEMES = (
    AudioTheme(
        name="bassline",
        partials=_harmonics(10, tilt=1.2),
        breath=0.0,
        attack=0.005,
        decay=0.25,
        pattern="x...x...x...x...",
        tempo=124,
        pitches=(31, 43),
    ),
    AudioTheme(
        name="flute",
        partials=((1.0, 1.0), (2.0, 0.25), (3.0, 0.06)),
        breath=0.08,
        attack=0.08,
        decay=1.2,
        pattern="x.......x...x...",
        tempo=84,
        pitches=(72, 86),
    ),
    AudioTheme(
        name="chiptune",
        partials=_harmonics(15, tilt=0.9, step=2),
        breath=0.0,
        attack=0.002,
        decay=0.12,
        pattern="xxxxxxxxxxxxxxxx",
        tempo=140,
        pitches=(60, 79),
    ),
    AudioTheme(
        name="bells",
        partials=((1.0, 1.0), (2.76, 0.6), (5.4, 0.35), (8.93, 0.15)),
        breath=0.0,
        attack=0.002,
        decay=0.9,
        pattern="x.....x.....x...",
        tempo=100,
        pitches=(76, 90),
    ),
    AudioTheme(
        name="drums",
        partials=((1.0, 1.0), (1.59, 0.4)),
        breath=0.75,
        attack=0.001,
        decay=0.09,
        pattern="x..xx.x.x.x.xx.x",
        tempo=96,
        pitches=(40, 52),
    ),
    AudioTheme(
        name="drone",
        partials=((1.0, 1.0), (1.005, 0.9), (2.0, 0.5), (3.01, 0.4), (4.0, 0.25)),
        breath=0.02,
        attack=0.5,
        decay=6.0,
        pattern="x...............",
        tempo=60,
        pitches=(43, 55),
    ),
    AudioTheme(
        name="plucks",
        partials=_harmonics(12, tilt=0.7),
        breath=0.02,
        attack=0.002,
        decay=0.18,
        pattern="x..x..x..x..x.x.",
        tempo=112,
        pitches=(55, 69),
    ),
    AudioTheme(
        name="surf",
        partials=((1.0, 0.3),),
        breath=0.97,
        attack=0.35,
        decay=1.5,
        pattern="x.......x.......",
        tempo=72,
        pitches=(60, 72),
    ),
)

TEXT_THEMES = (
    TextTheme(
        name="cooking",
        things=(
            "garlic noodles", "this pasta sauce", "sourdough", "the crispy tofu", "grandma's dumplings",
            "one pan chicken", "brown butter", "the lemon cake", "street tacos", "miso soup",
            "fried rice", "a cast iron pan",
        ),
        doings=(
            "kneading the dough", "chopping onions", "baking bread", "tasting the broth", "frying eggs",
            "plating dessert", "making dinner from leftovers", "simmering the curry",
        ),
        tags=("cooking", "recipe", "foodie", "homecook", "easydinner"),
    ),
    TextTheme(
        name="football",
        things=(
            "that free kick", "the last minute goal", "our goalkeeper", "the penalty", "a clean tackle",
            "the derby", "this volley", "the new boots", "a hat trick", "the offside call",
            "our midfield", "stoppage time",
        ),
        doings=(
            "dribbling past three defenders", "practising corners", "celebrating the winner", "saving a penalty",
            "juggling the ball", "training in the rain", "passing out from the back", "watching the match",
        ),
        tags=("football", "soccer", "goal", "matchday", "skills"),
    ),
    TextTheme(
        name="travel",
        things=(
            "this hidden beach", "the night train", "a window seat", "our hostel", "the old town",
            "sunrise over the temple", "the island ferry", "my passport", "a mountain hut", "the border crossing",
            "the cheapest flight", "a rooftop in Lisbon",
        ),
        doings=(
            "backpacking alone", "packing a carry-on", "missing our flight", "hiking to the waterfall",
            "exploring the bazaar", "sleeping at the airport", "road tripping the coast", "getting lost abroad",
        ),
        tags=("travel", "wanderlust", "backpacker", "roadtrip", "hiddengem"),
    ),
    TextTheme(
        name="gaming",
        things=(
            "the final boss", "this speedrun", "a legendary drop", "my ranked team", "the new patch",
            "an open lobby", "the secret level", "my mechanical keyboard", "a clutch round", "the healer",
            "this glitch", "the loot box",
        ),
        doings=(
            "grinding for xp", "rage quitting", "beating the boss with no damage", "streaming all night",
            "respawning again", "camping the corner", "unlocking the skin", "carrying the squad",
        ),
        tags=("gaming", "gamer", "speedrun", "esports", "console"),
    ),
    TextTheme(
        name="makeup",
        things=(
            "this lip gloss", "the winged eyeliner", "a dewy foundation", "my skincare shelf", "the blush",
            "glitter eyeshadow", "waterproof mascara", "a drugstore concealer", "the setting spray", "soft brows",
            "a bold red lip", "the contour stick",
        ),
        doings=(
            "blending eyeshadow", "getting ready with me", "fixing my lashes", "removing mascara",
            "contouring in ten seconds", "testing foundation", "painting my nails", "curling my lashes",
        ),
        tags=("makeup", "grwm", "beauty", "skincare", "glam"),
    ),
    TextTheme(
        name="pets",
        things=(
            "my golden retriever", "the new kitten", "a very good boy", "the cat tree", "his squeaky toy",
            "our rescue dog", "the hamster wheel", "her tiny paws", "the vet visit", "a bag of treats",
            "this grumpy parrot", "the leash",
        ),
        doings=(
            "walking the puppy", "begging for treats", "chasing the laser", "napping on the sofa",
            "learning to fetch", "bathing the dog", "scratching the couch", "wagging his tail",
        ),
        tags=("pets", "dogsof", "catlover", "puppy", "rescue"),
    ),
    TextTheme(
        name="music",
        things=(
            "this guitar riff", "the bass drop", "an acoustic cover", "my first piano recital", "the chorus",
            "a vinyl record", "the drum solo", "four chords", "the bridge of this song", "my loop pedal",
            "the choir", "a broken string",
        ),
        doings=(
            "learning the solo", "tuning my violin", "singing in the car", "writing a melody",
            "mixing the vocals", "busking downtown", "harmonising with strangers", "recording the demo",
        ),
        tags=("music", "cover", "guitar", "songwriter", "livemusic"),
    ),
    TextTheme(
        name="science",
        things=(
            "liquid nitrogen", "a black hole", "this chemical reaction", "the telescope", "a tardigrade",
            "the rocket launch", "a magnet in slow motion", "the double slit", "this fossil", "a volcano model",
            "the microscope", "static electricity",
        ),
        doings=(
            "mixing acids safely", "growing crystals", "explaining gravity", "counting exoplanets",
            "launching a weather balloon", "dissecting a flower", "measuring the speed of light",
            "building a circuit",
        ),
        tags=("science", "physics", "experiment", "space", "stem"),
    ),
)  # fmt: skip

EVERYDAY_TAGS = ("fyp", "foryou", "viral", "trending", "dailyvlog")
"""Hashtags that say nothing about the topic."""

TEMPLATES = (
    "{doing} before work, who else?",
    "day {number} of {doing}",
    "nobody told me {thing} would be this good",
    "POV: you are {doing} and then {thing} happens",
    "trying {thing} for the first time",
    "wait for {thing} at the end",
    "I can't stop {doing}",
    "{number} things I learned from {doing}",
    "rating {thing} out of ten",
    "is {thing} overrated? tell me below",
    "supposed to be {elsewhere}, ended up {doing}",
    "{thing} but make it chaotic",
    "how I got better at {doing}: {thing}",
    "this is your sign to try {doing}",
    "me and {thing} against the world",
    "{thing}. that's it, that's the video",
)
"""Sentences shared by all topics; {elsewhere} is a doing of another topic."""
