"""The words, each English one with its German one.

The tables hold what cannot be derived: genders, plurals, German third persons,
participles. No verb has an English past that is like its present ("read").
"""

from dataclasses import dataclass
from typing import Literal

Case = Literal["nominative", "accusative", "dative"]
#: What a verb agrees with.
Person = Literal["I", "he", "they"]


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun; `kind` decides which adjectives and verbs fit it."""

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: str
    kind: str


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective; `kinds` of nouns that it fits."""

    english: str
    german: str
    kinds: frozenset[str]

    @property
    def stem(self) -> str:
        """What German endings are added to."""
        return self.german.removesuffix("e").replace("uer", "ur")


@dataclass(frozen=True, eq=False)
class Verb:
    """A verb, in English perhaps with a particle, in German with a separable prefix.

    Args:
        base, third_person, participle: Of the English verb.
        particle: Stands behind a pronoun, before any other object: "picks him up".
        prefix: Of the German verb; the infinitive and the third person are without it.
        german_participle: With the prefix.
        auxiliary: Of the German perfect, "haben" or "sein".
        case: Of the German object.
        objects: Kinds of nouns that can be the object.
        subjects: Kinds of nouns that can be the subject.
    """

    base: str
    third_person: str
    participle: str
    particle: str
    prefix: str
    infinitive: str
    german_third_person: str
    german_participle: str
    auxiliary: str
    case: Case
    objects: frozenset[str]
    subjects: frozenset[str]


@dataclass(frozen=True, eq=False)
class Pronoun:
    """A personal pronoun; a phrase of the grammar."""

    english_subject: str
    english_object: str
    person: Person
    german_forms: dict[Case, str]

    is_indefinite = False

    def english(self, case: Case) -> str:
        is_subject = case == "nominative"
        return self.english_subject if is_subject else self.english_object

    def german(self, case: Case, negated: bool = False) -> str:
        return self.german_forms[case]


def _rows(table: str) -> list[tuple[frozenset[str], list[str]]]:
    """Of each line the kinds before the colon and the words behind it."""
    halves = [line.split(":") for line in table.strip().splitlines()]
    return [(frozenset(kinds.split()), words.split()) for kinds, words in halves]


def _nouns(table: str) -> list[Noun]:
    nouns = []
    for (kind,), (english, german, german_plural, gender) in _rows(table):
        singular, _, plural = english.partition("/")
        plural = plural or f"{singular}s"
        nouns.append(Noun(singular, plural, german, german_plural, gender, kind))
    return nouns


def _verbs(table: str, case: Case = "accusative") -> list[Verb]:
    """A star: animals do it too; a stroke ends the prefix; "ist": perfect with sein."""
    verbs = []
    for kinds, (english, participle, german, third, german_participle, *ist) in _rows(
        table
    ):
        base, _, particle = english.rstrip("*").partition("+")
        prefix, _, infinitive = german.rpartition("/")
        verb = Verb(
            base,
            f"{base}es" if base.endswith(("o", "sh")) else f"{base}s",
            participle,
            particle,
            prefix,
            infinitive,
            third,
            german_participle,
            "sein" if ist else "haben",
            case,
            kinds,
            frozenset({"person", "animal"} if "*" in english else {"person"}),
        )
        verbs.append(verb)
    return verbs


def _pronoun(english: str, person: Person, german: str) -> Pronoun:
    subject, object_ = english.split()
    nominative, accusative, dative = german.split()
    forms: dict[Case, str]
    forms = {"nominative": nominative, "accusative": accusative, "dative": dative}
    return Pronoun(subject, object_, person, forms)


NOUNS = _nouns("""
    person: brother Bruder Brüder m
    person: sister Schwester Schwestern f
    person: child/children Kind Kinder n
    person: uncle Onkel Onkel m
    person: aunt Tante Tanten f
    person: girl Mädchen Mädchen n
    person: king König Könige m
    person: queen Königin Königinnen f
    person: baker Bäcker Bäcker m
    animal: dog Hund Hunde m
    animal: cat Katze Katzen f
    animal: horse Pferd Pferde n
    thing: letter Brief Briefe m
    thing: bag Tasche Taschen f
    thing: picture Bild Bilder n
    thing: umbrella Schirm Schirme m
    thing: table Tisch Tische m
    thing: lamp Lampe Lampen f
    thing: door Tür Türen f
    thing: window Fenster Fenster n
    thing: clock Uhr Uhren f
    food: apple Apfel Äpfel m
    food: pear Birne Birnen f
    food: egg Ei Eier n
    place: garden Garten Gärten m
    place: church/churches Kirche Kirchen f
    place: house Haus Häuser n
    place: park Park Parks m
    place: village Dorf Dörfer n
""")

ADJECTIVES = [
    Adjective(english, german, kinds)
    for kinds, (english, german) in _rows("""
        person animal thing place: old alt
        thing place: new neu
        person animal thing place food: small klein
        person animal thing place food: beautiful schön
        thing food: expensive teuer
        person animal: young jung
        person animal: hungry hungrig
        person animal: tired müde
        food: fresh frisch
        thing: red rot
    """)
]

TRANSITIVE = _verbs("""
    person animal thing place food: see* seen sehen sieht gesehen
    animal thing food: find* found finden findet gefunden
    animal thing food: buy bought kaufen kauft gekauft
    thing animal: need needed brauchen braucht gebraucht
    person animal: love* loved lieben liebt geliebt
    food: eat* eaten essen isst gegessen
    thing: repair repaired reparieren repariert repariert
    person place: visit visited besuchen besucht besucht
    person: invite invited ein/laden lädt eingeladen
    person: pick+up picked ab/holen holt abgeholt
    thing food: throw+away thrown weg/werfen wirft weggeworfen
    animal thing food: bring+along brought mit/bringen bringt mitgebracht
""")
WITH_DATIVE = _verbs(
    """
    person: help helped helfen hilft geholfen
    person: thank thanked danken dankt gedankt
    person animal: follow* followed folgen folgt gefolgt ist
    """,
    "dative",
)
#: Their objects are what is given; who gets it is in the dative.
DITRANSITIVE = _verbs("""
    thing food: give given geben gibt gegeben
    thing animal: show shown zeigen zeigt gezeigt
    thing: send sent schicken schickt geschickt
""")
INTRANSITIVE = _verbs("""
    : sleep* slept schlafen schläft geschlafen
    : wait* waited warten wartet gewartet
    : play* played spielen spielt gespielt
    : work worked arbeiten arbeitet gearbeitet
    : wake+up* woken auf/wachen wacht aufgewacht ist
    : fall+asleep* fallen ein/schlafen schläft eingeschlafen ist
""")
MOTIONS = _verbs("""
    : go* gone gehen geht gegangen ist
    : run* run laufen läuft gelaufen ist
""")
(BE,) = _verbs(": be been sein ist gewesen ist")
#: With a clause behind "that".
REPORTING = _verbs("""
    : say said sagen sagt gesagt
    : believe believed glauben glaubt geglaubt
""")

PRONOUNS = [
    _pronoun("I me", "I", "ich mich mir"),
    _pronoun("he him", "he", "er ihn ihm"),
    _pronoun("she her", "he", "sie sie ihr"),
    _pronoun("we us", "they", "wir uns uns"),
    _pronoun("they them", "they", "sie sie ihnen"),
]
