"""The words of the embedded sample: sentiment words, and what is spoken of.

Every sentiment word means the same everywhere; what turns it over is the grammar in
``sentiment_sample``.
"""

from dataclasses import dataclass

POSITIVE, NEGATIVE = True, False


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Adjectives by kind of thing and sign; those of "any" suit every thing.
ADJECTIVES: dict[str, dict[bool, tuple[str, ...]]] = {
    "any": {
        POSITIVE: _words(
            "good great excellent wonderful fantastic lovely superb brilliant "
            "marvellous terrific splendid outstanding delightful pleasant impressive "
            "perfect amazing awesome fabulous first-rate remarkable admirable "
            "exceptional magnificent nice top-notch stunning faultless flawless "
            "beautiful fine tremendous"
        ),
        NEGATIVE: _words(
            "bad terrible awful horrible poor dreadful disappointing mediocre lousy "
            "dire appalling atrocious abysmal woeful unpleasant shoddy pathetic "
            "miserable unacceptable inferior hopeless second-rate frustrating "
            "irritating lamentable forgettable annoying ghastly useless wretched "
            "disgraceful substandard"
        ),
    },
    "food": {
        POSITIVE: _words(
            "delicious tasty fresh flavourful mouth-watering fragrant appetising "
            "delectable well-seasoned home-made aromatic scrumptious"
        ),
        NEGATIVE: _words(
            "bland tasteless soggy stale greasy overcooked undercooked burnt rubbery "
            "lukewarm watery inedible"
        ),
    },
    "person": {
        POSITIVE: _words(
            "friendly kind attentive helpful polite charming cheerful welcoming "
            "patient courteous professional efficient thoughtful gracious considerate "
            "obliging"
        ),
        NEGATIVE: _words(
            "rude surly careless arrogant inattentive grumpy impatient unhelpful "
            "dismissive incompetent hostile unfriendly sloppy sulky condescending "
            "sullen"
        ),
    },
    "story": {
        POSITIVE: _words(
            "gripping moving clever witty original thrilling touching funny inventive "
            "absorbing suspenseful compelling heartfelt memorable imaginative engaging "
            "believable fascinating captivating entertaining"
        ),
        NEGATIVE: _words(
            "boring dull predictable tedious confusing silly shallow contrived "
            "pointless lifeless implausible pretentious muddled dreary formulaic "
            "incoherent hollow uninspired laboured tiresome"
        ),
    },
    "performance": {
        POSITIVE: _words(
            "convincing inspired subtle assured spirited masterful powerful polished "
            "magnetic radiant"
        ),
        NEGATIVE: _words(
            "wooden stiff unconvincing listless amateurish bored insipid monotonous "
            "exaggerated feeble"
        ),
    },
    "place": {
        POSITIVE: _words(
            "clean spotless cosy comfortable spacious elegant inviting airy stylish "
            "tidy restful peaceful"
        ),
        NEGATIVE: _words(
            "dirty filthy cramped shabby smelly stuffy gloomy dingy damp mouldy "
            "grubby run-down"
        ),
    },
    "device": {
        POSITIVE: _words(
            "reliable sturdy responsive sleek durable precise handy intuitive accurate "
            "dependable well-made trouble-free"
        ),
        NEGATIVE: _words(
            "sluggish flimsy unreliable faulty glitchy defective unresponsive erratic "
            "fiddly outdated laggy fragile"
        ),
    },
    "music": {
        POSITIVE: _words(
            "catchy haunting uplifting melodious soulful rousing joyful harmonious"
        ),
        NEGATIVE: _words(
            "grating tuneless shrill deafening droning plodding muffled jarring"
        ),
    },
}

#: Verbs for what somebody felt about a thing: present, past.
OPINION_VERBS: dict[bool, tuple[tuple[str, str], ...]] = {
    POSITIVE: (
        ("love", "loved"),
        ("enjoy", "enjoyed"),
        ("adore", "adored"),
        ("like", "liked"),
        ("admire", "admired"),
        ("recommend", "recommended"),
        ("treasure", "treasured"),
        ("praise", "praised"),
    ),
    NEGATIVE: (
        ("hate", "hated"),
        ("dislike", "disliked"),
        ("loathe", "loathed"),
        ("detest", "detested"),
        ("resent", "resented"),
        ("despise", "despised"),
        ("deplore", "deplored"),
        ("regret", "regretted"),
    ),
}

#: What a thing did to somebody: base form, past.
EFFECTS: dict[bool, tuple[tuple[str, str], ...]] = {
    POSITIVE: (
        ("impress", "impressed"),
        ("delight", "delighted"),
        ("please", "pleased"),
        ("charm", "charmed"),
        ("enchant", "enchanted"),
        ("satisfy", "satisfied"),
        ("amaze", "amazed"),
        ("thrill", "thrilled"),
    ),
    NEGATIVE: (
        ("annoy", "annoyed"),
        ("disappoint", "disappointed"),
        ("bore", "bored"),
        ("irritate", "irritated"),
        ("frustrate", "frustrated"),
        ("appal", "appalled"),
        ("anger", "angered"),
        ("exasperate", "exasperated"),
    ),
}

#: What a thing can be called, with the article.
VERDICT_NOUNS: dict[bool, tuple[str, ...]] = {
    POSITIVE: (
        "a joy",
        "a treat",
        "a delight",
        "a triumph",
        "a success",
        "a pleasure",
        "a gem",
        "a masterpiece",
    ),
    NEGATIVE: (
        "a disaster",
        "a mess",
        "a letdown",
        "a failure",
        "a nightmare",
        "a disgrace",
        "a flop",
        "a waste of money",
    ),
}


@dataclass(frozen=True)
class Aspect:
    """A thing that a review speaks of.

    Args:
        noun: without an article.
        kind: a key of ``ADJECTIVES``: which adjectives suit it beside those of "any".
        number: "singular", "plural" or "mass" (no article, no plural).
    """

    noun: str
    kind: str
    number: str = "singular"


@dataclass(frozen=True)
class Domain:
    """What a review is of: its aspects, whose opinions one hears, and small talk."""

    name: str
    aspects: tuple[Aspect, ...]
    others: tuple[str, ...]
    remarks: tuple[str, ...]


def _aspects(listing: str) -> tuple[Aspect, ...]:
    """Reads "noun/kind" or "noun/kind/number", separated by commas."""
    return tuple(Aspect(*entry.strip().split("/")) for entry in listing.split(","))


DOMAINS: tuple[Domain, ...] = (
    Domain(
        "restaurant",
        _aspects(
            "food/food/mass, meal/food, soup/food, steak/food, dessert/food, "
            "pasta/food/mass, salad/food, waiter/person, service/person/mass, "
            "waiters/person/plural, dining room/place, menu/any, restaurant/place"
        ),
        ("my sister", "the guidebook", "our neighbour", "the local paper"),
        (
            "We ate here on a rainy Tuesday",
            "The three of us shared a table by the window",
            "It was my uncle's birthday",
            "We had booked a table for eight o'clock",
            "I ordered what the couple beside us had",
            "We stopped here on the way home",
        ),
    ),
    Domain(
        "cafe",
        _aspects(
            "coffee/food/mass, cake/food, sandwich/food, muffins/food/plural, "
            "breakfast/food, barista/person, service/person/mass, cafe/place, "
            "corner table/place, background music/music/mass"
        ),
        ("my colleague", "my flatmate", "everybody at work", "the student beside me"),
        (
            "I come past this cafe every morning",
            "I ordered at the counter and took a seat",
            "It was ten past nine on a Monday",
            "We met here before the lecture",
            "I read the paper for half an hour",
        ),
    ),
    Domain(
        "film",
        _aspects(
            "film/story, movie/story, plot/story, script/story, dialogue/story/mass, "
            "acting/performance/mass, cast/performance, lead actor/performance, "
            "ending/story, soundtrack/music, opening scene/story, story/story, "
            "jokes/story/plural"
        ),
        ("the critics", "my brother", "most reviewers", "my best friend"),
        (
            "We saw it at the late show on Friday",
            "It runs for a little over two hours",
            "The director has made four films before",
            "I watched it on the train with headphones",
            "It is set in a small town by the sea",
            "My cousin had bought the tickets",
        ),
    ),
    Domain(
        "book",
        _aspects(
            "book/story, novel/story, plot/story, prose/story/mass, ending/story, "
            "characters/story/plural, first chapter/story, narrator/performance, "
            "translation/any, story/story"
        ),
        ("my teacher", "my book club", "the blurb", "the newspapers"),
        (
            "I read it over two weekends in March",
            "It has thirty short chapters",
            "The library had a copy on the shelf",
            "It is told by three people in turn",
            "I had read the author's earlier books",
        ),
    ),
    Domain(
        "hotel",
        _aspects(
            "room/place, bed/place, bathroom/place, lobby/place, breakfast/food, "
            "staff/person, receptionist/person, pool/place, view/any, hotel/place, "
            "manager/person, balcony/place"
        ),
        ("our travel agent", "the brochure", "my aunt", "the guests next door"),
        (
            "We stayed for three nights in October",
            "Our room was on the fourth floor",
            "We arrived shortly before midnight",
            "The station is ten minutes away on foot",
            "We had come for a wedding",
            "The key was waiting at the desk",
        ),
    ),
    Domain(
        "phone",
        _aspects(
            "phone/device, screen/device, camera/device, battery/device, "
            "speaker/music, keyboard/device, fingerprint reader/device, "
            "design/any, charger/device, software/device/mass"
        ),
        ("my nephew", "the salesman", "every test report", "my old classmate"),
        (
            "I bought it six weeks ago",
            "It came in a small grey box",
            "I use it mostly for messages and maps",
            "My last one was five years old",
            "I carry it in my coat pocket",
        ),
    ),
    Domain(
        "headphones",
        _aspects(
            "headphones/device/plural, sound/music/mass, bass/music, cable/device, "
            "microphone/device, ear pads/any/plural, noise cancelling/device/mass, "
            "volume button/device, packaging/any/mass"
        ),
        ("my son", "the shop assistant", "two magazines", "the drummer in my band"),
        (
            "I wear them on the bus to work",
            "They arrived on a Thursday afternoon",
            "I tried them with jazz and with podcasts",
            "I compared them with my old pair",
        ),
    ),
    Domain(
        "concert",
        _aspects(
            "concert/music, band/performance, singer/performance, songs/music/plural, "
            "venue/place, guitarist/performance, orchestra/performance, "
            "sound/music/mass, encore/music, opening act/performance"
        ),
        ("my girlfriend", "the organisers", "the radio host", "the man behind us"),
        (
            "We stood about ten rows from the stage",
            "The doors opened at seven",
            "They played for almost two hours",
            "We had driven two hours to get there",
            "It was the last night of the tour",
        ),
    ),
    Domain(
        "museum",
        _aspects(
            "exhibition/story, museum/place, tour/story, guide/person, "
            "audio guide/device, paintings/any/plural, collection/story, "
            "gift shop/place, catalogue/story, museum cafe/place"
        ),
        ("my grandmother", "the tourist office", "a friend of mine", "the leaflet"),
        (
            "We went on the first Sunday of the month",
            "The museum lies beside the old harbour",
            "We spent most of the afternoon there",
            "A school class came in just after us",
        ),
    ),
    Domain(
        "train",
        _aspects(
            "journey/any, train/place, conductor/person, seats/place/plural, "
            "carriage/place, dining car/place, tea/food/mass, booking app/device, "
            "service/person/mass"
        ),
        ("my boss", "the timetable app", "the lady opposite", "my father"),
        (
            "I took the night train to the coast",
            "We changed trains twice on the way",
            "I had a seat beside the door",
            "The ride takes about four hours",
        ),
    ),
    Domain(
        "course",
        _aspects(
            "teacher/person, lessons/story/plural, course/story, textbook/story, "
            "classroom/place, exercises/any/plural, first lecture/story, "
            "online platform/device, tutor/person"
        ),
        ("my study group", "the brochure", "last year's students", "my wife"),
        (
            "I signed up for the evening group",
            "We met every Wednesday after work",
            "There were nine of us in the room",
            "It lasted from January to April",
        ),
    ),
)
