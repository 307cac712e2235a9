"""The words of the generated reviews: words with a sign, and what is spoken of.

A word with a sign means the same everywhere; the grammar in `reviews` turns it over.
"""

from dataclasses import dataclass

POSITIVE, NEGATIVE = True, False

BySign = dict[bool, tuple[str, ...]]


def _words(positive: str, negative: str, separator: str | None = None) -> BySign:
    def split(text: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in text.split(separator))

    return {POSITIVE: split(positive), NEGATIVE: split(negative)}


#: Adjectives by kind of thing and sign; those of "any" suit every thing.
ADJECTIVES: dict[str, BySign] = {
    "any": _words(
        "good great excellent wonderful fantastic lovely superb brilliant marvellous "
        "terrific splendid outstanding delightful pleasant impressive perfect amazing "
        "awesome fabulous first-rate remarkable admirable exceptional magnificent nice "
        "top-notch stunning faultless flawless beautiful fine tremendous",
        "bad terrible awful horrible poor dreadful disappointing mediocre lousy dire "
        "appalling atrocious abysmal woeful unpleasant shoddy pathetic miserable "
        "unacceptable inferior hopeless second-rate frustrating irritating lamentable "
        "forgettable annoying ghastly useless wretched disgraceful substandard",
    ),
    "food": _words(
        "delicious tasty fresh flavourful mouth-watering fragrant appetising "
        "delectable well-seasoned home-made aromatic scrumptious",
        "bland tasteless soggy stale greasy overcooked undercooked burnt rubbery "
        "lukewarm watery inedible",
    ),
    "person": _words(
        "friendly kind attentive helpful polite charming cheerful welcoming patient "
        "courteous professional efficient thoughtful gracious considerate obliging",
        "rude surly careless arrogant inattentive grumpy impatient unhelpful "
        "dismissive incompetent hostile unfriendly sloppy sulky condescending sullen",
    ),
    "story": _words(
        "gripping moving clever witty original thrilling touching funny inventive "
        "absorbing suspenseful compelling heartfelt memorable imaginative engaging "
        "believable fascinating captivating entertaining",
        "boring dull predictable tedious confusing silly shallow contrived pointless "
        "lifeless implausible pretentious muddled dreary formulaic incoherent hollow "
        "uninspired laboured tiresome",
    ),
    "performance": _words(
        "convincing inspired subtle assured spirited masterful powerful polished "
        "magnetic radiant",
        "wooden stiff unconvincing listless amateurish bored insipid monotonous "
        "exaggerated feeble",
    ),
    "place": _words(
        "clean spotless cosy comfortable spacious elegant inviting airy stylish tidy "
        "restful peaceful",
        "dirty filthy cramped shabby smelly stuffy gloomy dingy damp mouldy grubby "
        "run-down",
    ),
    "device": _words(
        "reliable sturdy responsive sleek durable precise handy intuitive accurate "
        "dependable well-made trouble-free",
        "sluggish flimsy unreliable faulty glitchy defective unresponsive erratic "
        "fiddly outdated laggy fragile",
    ),
    "music": _words(
        "catchy haunting uplifting melodious soulful rousing joyful harmonious",
        "grating tuneless shrill deafening droning plodding muffled jarring",
    ),
}

#: What somebody felt about a thing.
OPINION_VERBS = _words(
    "love enjoy adore like admire recommend treasure praise",
    "hate dislike loathe detest resent despise deplore regret",
)
#: What a thing did to somebody.
EFFECTS = _words(
    "impress delight please charm enchant satisfy amaze thrill",
    "annoy disappoint bore irritate frustrate appal anger exasperate",
)
#: What a thing can be called.
VERDICTS = _words(
    "a joy, a treat, a delight, a triumph, a success, a pleasure, a gem, a masterpiece",
    "a disaster, a mess, a letdown, a failure, a nightmare, a disgrace, a flop, "
    "a waste of money",
    separator=",",
)
#: What a thing can have.
QUALITIES = _words(
    "charm style merit warmth grace class appeal polish",
    "faults flaws mistakes defects weaknesses problems shortcomings blunders",
)


def past(verb: str) -> str:
    """The simple past of a verb above, which is its participle too."""
    if verb in ("appal", "regret"):
        return f"{verb}{verb[-1]}ed"
    if verb.endswith("fy"):
        return f"{verb[:-1]}ied"
    return f"{verb}d" if verb.endswith("e") else f"{verb}ed"


@dataclass(frozen=True)
class Aspect:
    """A thing that a review speaks of.

    Args:
        noun: Without an article.
        kind: A key of `ADJECTIVES`: which adjectives suit it beside those of "any".
        number: "singular", "plural" or "mass" (no article, no plural).
    """

    noun: str
    kind: str
    number: str = "singular"


@dataclass(frozen=True)
class Domain:
    """What a review is of.

    Args:
        aspects: Things to speak of.
        parts: What there are many of, so that "not a dull minute" says something.
        occasion: What the whole was: "a wonderful stay".
        others: Whose opinions one hears.
        remarks: Sentences without an opinion.
    """

    aspects: tuple[Aspect, ...]
    parts: tuple[Aspect, ...]
    occasion: Aspect
    others: tuple[str, ...]
    remarks: tuple[str, ...]


def _aspects(listing: str) -> tuple[Aspect, ...]:
    """Reads "noun/kind" or "noun/kind/number", separated by commas."""
    return tuple(Aspect(*entry.strip().split("/")) for entry in listing.split(","))


def _domain(
    aspects: str, parts: str, occasion: str, others: str, remarks: str
) -> Domain:
    return Domain(
        _aspects(aspects),
        _aspects(parts),
        _aspects(occasion)[0],
        tuple(others.split(", ")),
        tuple(remarks.split(". ")),
    )


DOMAINS = (
    _domain(  # a restaurant
        "food/food/mass, meal/food, soup/food, steak/food, dessert/food, "
        "pasta/food/mass, salad/food, waiter/person, service/person/mass, "
        "waiters/person/plural, dining room/place, menu/any, restaurant/place",
        "bite/food, dish/food, course/food",
        "evening/any",
        "my sister, the guidebook, our neighbour, the local paper",
        "We ate here on a rainy Tuesday. The three of us shared a table by the "
        "window. It was my uncle's birthday. We had booked a table for eight o'clock. "
        "I ordered what the couple beside us had. We stopped here on the way home",
    ),
    _domain(  # a cafe
        "coffee/food/mass, cake/food, sandwich/food, muffins/food/plural, "
        "breakfast/food, barista/person, service/person/mass, cafe/place, "
        "corner table/place, background music/music/mass",
        "cup/food, crumb/food, sip/food",
        "morning/any",
        "my colleague, my flatmate, everybody at work, the student beside me",
        "I come past this cafe every morning. I ordered at the counter and took a "
        "seat. It was ten past nine on a Monday. We met here before the lecture. I "
        "read the paper for half an hour",
    ),
    _domain(  # a film
        "film/story, movie/story, plot/story, script/story, dialogue/story/mass, "
        "acting/performance/mass, cast/performance, lead actor/performance, "
        "ending/story, soundtrack/music, opening scene/story, story/story, "
        "jokes/story/plural",
        "minute/story, scene/story, moment/story, line/story, joke/story",
        "night/any",
        "the critics, my brother, most reviewers, my best friend",
        "We saw it at the late show on Friday. It runs for a little over two hours. "
        "The director has made four films before. I watched it on the train with "
        "headphones. It is set in a small town by the sea. My cousin had bought the "
        "tickets",
    ),
    _domain(  # a book
        "book/story, novel/story, plot/story, prose/story/mass, ending/story, "
        "characters/story/plural, first chapter/story, narrator/performance, "
        "cover/any, story/story",
        "page/story, chapter/story, sentence/story, minute/story, line/story",
        "read/story",
        "my teacher, my book club, the blurb, the newspapers",
        "I read it over two weekends in March. It has thirty short chapters. The "
        "library had a copy on the shelf. It is told by three people in turn. I had "
        "read the author's earlier books",
    ),
    _domain(  # a hotel
        "room/place, bed/place, bathroom/place, lobby/place, breakfast/food, "
        "staff/person, receptionist/person, pool/place, view/any, hotel/place, "
        "manager/person, balcony/place",
        "day/any, night/any, hour/any, corner/place",
        "stay/any",
        "our travel agent, the brochure, my aunt, the guests next door",
        "We stayed for three nights in October. Our room was on the fourth floor. We "
        "arrived shortly before midnight. The station is ten minutes away on foot. We "
        "had come for a wedding. The key was waiting at the desk",
    ),
    _domain(  # a phone
        "phone/device, screen/device, camera/device, battery/device, speaker/music, "
        "keyboard/device, fingerprint reader/device, design/any, charger/device, "
        "software/device/mass",
        "feature/device, app/device, day/any, moment/any",
        "purchase/any",
        "my nephew, the salesman, every test report, my old classmate",
        "I bought it six weeks ago. It came in a small grey box. I use it mostly for "
        "messages and maps. My last one was five years old. I carry it in my coat "
        "pocket",
    ),
    _domain(  # headphones
        "headphones/device/plural, sound/music/mass, bass/music, cable/device, "
        "microphone/device, ear pads/any/plural, noise cancelling/device/mass, "
        "volume button/device, packaging/any/mass",
        "note/music, song/music, minute/any, detail/device",
        "purchase/any",
        "my son, the shop assistant, two magazines, the drummer in my band",
        "I wear them on the bus to work. They arrived on a Thursday afternoon. I "
        "tried them with jazz and with podcasts. I compared them with my old pair",
    ),
    _domain(  # a concert
        "concert/music, band/performance, singer/performance, songs/music/plural, "
        "venue/place, guitarist/performance, orchestra/performance, sound/music/mass, "
        "encore/music, opening act/performance",
        "note/music, song/music, minute/story, moment/story",
        "night/any",
        "my girlfriend, the organisers, the radio host, the man behind us",
        "We stood about ten rows from the stage. The doors opened at seven. They "
        "played for almost two hours. We had driven two hours to get there. It was "
        "the last night of the tour",
    ),
    _domain(  # a museum
        "exhibition/story, museum/place, tour/story, guide/person, "
        "audio guide/device, paintings/any/plural, collection/story, gift shop/place, "
        "catalogue/story, museum cafe/place",
        "room/place, picture/any, minute/story, hour/story",
        "afternoon/any",
        "my grandmother, the tourist office, my friend, the leaflet",
        "We went on the first Sunday of the month. The museum lies beside the old "
        "harbour. We spent most of the afternoon there. A school class came in just "
        "after us",
    ),
    _domain(  # a journey by train
        "journey/any, train/place, conductor/person, seats/place/plural, "
        "carriage/place, dining car/place, tea/food/mass, booking app/device, "
        "service/person/mass",
        "mile/any, hour/any, minute/any, seat/place",
        "trip/any",
        "my boss, the timetable app, the lady opposite, my father",
        "I took the night train to the coast. We changed trains twice on the way. I "
        "had a seat beside the door. The ride takes about four hours",
    ),
    _domain(  # a course
        "course/story, teacher/person, lessons/story/plural, textbook/story, "
        "classroom/place, exercises/any/plural, first lecture/story, "
        "online platform/device, tutor/person",
        "lesson/story, minute/story, exercise/story, example/story",
        "term/any",
        "my study group, the brochure, last year's students, my wife",
        "I signed up for the evening group. We met every Wednesday after work. There "
        "were nine of us in the room. It lasted from January to April",
    ),
)
