"""The embedded sample of articles and summaries: news of small towns, generated.

An article tells of one event in some sentences, and of other things too: what comes
first is seldom what matters. Its summary is one sentence with the facts. Names of towns
and people are put together of parts, and those of the test stand nowhere else, so that
they can be had from the article alone.
"""

import itertools
import random
from collections.abc import Callable, Sequence

from ..core.errors import UserError

DEFAULT_NUMBER_OF_ARTICLES = 3_000
_FEWEST, _MOST = 20, 100_000
# Of validation and test, each.
_HELD_OUT = 0.1

_TOWN_BEGINNINGS = (
    *("Ash", "Birch", "Clay", "Dun", "East", "Fern", "Glen", "Hart", "Kings", "Lang"),
    *("Marsh", "Nether", "Oak", "Penn", "Raven", "Stone", "Thorn", "Up", "West", "Wyn"),
)
_TOWN_MIDDLES = ("", "a", "en", "er", "ing", "ley", "ow")
_TOWN_ENDINGS = (
    *("bourne", "bridge", "bury", "by", "combe", "dale", "field", "ford", "ham"),
    *("hurst", "leigh", "mere", "stead", "stow", "ton", "well", "wick", "worth"),
)
_SURNAME_BEGINNINGS = (
    *("Al", "Bar", "Cor", "Dal", "El", "Far", "Gar", "Hol", "Jen", "Kel", "Lor", "Mar"),
    *("Nor", "Or", "Pal", "Quin", "Ros", "Sel", "Tam", "Vel", "War", "Yar"),
)
_SURNAME_MIDDLES = ("a", "ber", "e", "in", "o", "tin")
_SURNAME_ENDINGS = (
    "bert",
    "by",
    "den",
    "ley",
    "man",
    "mont",
    "nett",
    "sen",
    "son",
    "wick",
)
_FIRST_NAMES = (
    *("Ada", "Bruno", "Clara", "David", "Elsa", "Frank", "Grace", "Henry", "Iris"),
    *("Jonas", "Kate", "Leo", "Maria", "Noel", "Olga", "Peter", "Rosa", "Simon"),
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBERS = ("two", "three", "four", "five", "six", "seven", "eight", "nine")
_BUILDINGS = ("bakery", "school", "hotel", "library", "warehouse", "theatre", "mill")
_CAUSES = ("a broken lamp", "an old heater", "a candle", "lightning", "a faulty cable")
_WORKS = (
    "swimming pool",
    "bus station",
    "skate park",
    "museum",
    "bridge",
    "market hall",
)
_ANIMALS = ("owl", "wolf", "tortoise", "parrot", "goat", "otter", "python")
_REASONS = ("a landslide", "heavy snow", "a fallen tree", "floods", "a broken pipe")

_OPENINGS = (
    "It was a quiet {day} in {town} until then.",
    "People in {town} will talk about this week for a long time.",
    "Nobody in {town} had expected it.",
    "{town} is not often in the news.",
    "The phones at the town hall of {town} rang all {day}.",
)
_ASIDES = (
    "{person}, {age}, saw it all from a window.",
    "A neighbour, {person}, said that there had been nothing like it for {many} years.",
    "Two years ago something of the kind had happened in {other_town}.",
    "The mayor of {other_town}, {person}, sent greetings.",
    "{person} had come from {other_town} by the first train.",
    "In the evening it rained, as it had in {other_town} for {many} days.",
    "The café at the corner sold {many} times as much tea as usual.",
)


def sample_news(number: int) -> dict[str, tuple[list[str], list[str]]]:
    """Articles and their summaries by split: the same ones for the same number.

    Raises:
        UserError: The number is too small or too large.
    """
    if not _FEWEST <= number <= _MOST:
        raise UserError(
            f"sample:{number}: between {_FEWEST} and {_MOST:,} articles can be made"
        )
    generator = random.Random(0)
    towns = _names(generator, _TOWN_BEGINNINGS, _TOWN_MIDDLES, _TOWN_ENDINGS)
    surnames = _names(
        generator, _SURNAME_BEGINNINGS, _SURNAME_MIDDLES, _SURNAME_ENDINGS
    )
    held_out = round(number * _HELD_OUT)
    sizes = {
        "train": number - 2 * held_out,
        "validation": held_out,
        "test": held_out,
    }
    splits: dict[str, tuple[list[str], list[str]]] = {}
    for split, size in sizes.items():
        # The last tenth of the names are those of the test alone.
        names = [
            each[-len(each) // 10 :] if split == "test" else each[: -len(each) // 10]
            for each in (towns, surnames)
        ]
        pairs = [_Event(generator, *names).told() for _ in range(size)]
        splits[split] = [article for article, _ in pairs], [gist for _, gist in pairs]
    return splits


def _names(generator: random.Random, *parts: Sequence[str]) -> list[str]:
    names = list(dict.fromkeys(map("".join, itertools.product(*parts))))
    generator.shuffle(names)
    return names


class _Event:
    """What happened, and where, and to whom."""

    def __init__(
        self, generator: random.Random, towns: Sequence[str], surnames: Sequence[str]
    ):
        self._generator = generator
        self.town, self.other_town = generator.sample(towns, 2)
        self.people = [
            f"{first} {last}"
            for first, last in zip(
                generator.sample(_FIRST_NAMES, 3),
                generator.sample(surnames, 3),
                strict=True,
            )
        ]
        self.day = generator.choice(_DAYS)

    def told(self) -> tuple[str, str]:
        """An article and its summary."""
        kinds: tuple[Callable[[], tuple[Sequence[str], str]], ...] = (
            *(self._fire, self._match, self._works, self._road, self._escape),
            self._prize,
        )
        facts, summary = self._generator.choice(kinds)()
        asides = [self._aside(text) for text in self._generator.sample(_ASIDES, 2)]
        # The facts stay in their order, and other things stand between them.
        sentences = list(facts)
        for aside in asides:
            sentences.insert(self._generator.randint(0, len(sentences)), aside)
        if self._generator.random() < 0.7:
            opening = self._generator.choice(_OPENINGS)
            sentences.insert(0, opening.format(town=self.town, day=self.day))
        return " ".join(sentences), summary

    def _aside(self, text: str) -> str:
        return text.format(
            person=self.people[2],
            age=self._generator.randint(18, 90),
            many=self._one_of(_NUMBERS),
            other_town=self.other_town,
        )

    def _one_of(self, choices: Sequence[str]) -> str:
        return self._generator.choice(choices)

    def _fire(self) -> tuple[Sequence[str], str]:
        building, cause = self._one_of(_BUILDINGS), self._one_of(_CAUSES)
        hurt = self._one_of((*_NUMBERS, "nobody"))
        of_people = (
            "Nobody was hurt"
            if hurt == "nobody"
            else f"{hurt.capitalize()} people were hurt"
        )
        facts = (
            f"On {self.day} the {building} of {self.town} caught fire.",
            f"{of_people}, said {self.people[0]} of the fire brigade.",
            f"It seems that {cause} was the cause.",
        )
        return facts, f"Fire at {self.town} {building}, {hurt} hurt"

    def _match(self) -> tuple[Sequence[str], str]:
        lost, won = sorted(self._generator.sample(range(6), 2))
        scorer = self.people[0]
        first, other = self.town, self.other_town
        if self._generator.random() < 0.5:
            first, other = other, first
        facts = (
            f"On {self.day} the teams of {self.town} and {self.other_town} met.",
            f"After the first half it stood {min(lost, 1)} to {min(won, 1)}.",
            f"The last goal was by {scorer}, and {first} won {won} to {lost}.",
        )
        return facts, f"{first} beat {other} {won} to {lost}"

    def _works(self) -> tuple[Sequence[str], str]:
        work, cost = self._one_of(_WORKS), self._one_of(_NUMBERS)
        first = self._one_of(_NUMBERS)
        is_yes = self._generator.random() < 0.6
        decided = "said yes to" if is_yes else "turned down"
        facts = (
            f"The council of {self.town} has argued about a {work} since spring.",
            f"At first it was to cost {first} million; the plan of {self.people[0]} "
            f"asks for {cost}.",
            f"On {self.day} the council {decided} it.",
        )
        verb = "to build" if is_yes else "not to build"
        return facts, f"{self.town} {verb} {work} for {cost} million"

    def _road(self) -> tuple[Sequence[str], str]:
        reason, until = self._one_of(_REASONS), self._one_of(_DAYS)
        facts = (
            f"Since {self.day} no car has come from {self.town} to {self.other_town}.",
            f"The road is shut because of {reason}.",
            f"{self.people[0]} of the road office hopes that it opens on {until}.",
        )
        return facts, (
            f"{reason.removeprefix('a ').capitalize()} shuts road from {self.town} to "
            f"{self.other_town} until {until}"
        )

    def _escape(self) -> tuple[Sequence[str], str]:
        animal, where = self._one_of(_ANIMALS), self._one_of(_BUILDINGS)
        article = "an" if animal[0] in "aeiou" else "a"
        facts = (
            f"On {self.day} {article} {animal} got out of the zoo of {self.town}.",
            f"Its keeper, {self.people[0]}, looked for it all night.",
            f"In the end {self.people[1]} found it in the {where}.",
        )
        return facts, f"{self.people[1]} finds {animal} of {self.town} zoo in {where}"

    def _prize(self) -> tuple[Sequence[str], str]:
        building, years = self._one_of(_BUILDINGS), self._one_of(_NUMBERS)
        facts = (
            f"{self.people[0]} has worked for the {building} of {self.town} for "
            f"{years} years.",
            f"On {self.day} the prize of the county was given away.",
            f"{self.people[1]} came second, and {self.people[0]} first.",
        )
        return facts, f"{self.people[0]} of {self.town} {building} wins county prize"
