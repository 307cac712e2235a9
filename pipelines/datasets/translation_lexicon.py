"""The words of the embedded translation sample: an English-German dictionary.

Every English word has one German word, so that a sentence has one translation. What
declension and conjugation cannot derive stands in the tables: genders, plurals, the
third person singular, participles. ``-`` stands for what a word does not have.
"""

from dataclasses import dataclass
from typing import Literal

Gender = Literal["m", "f", "n"]
Case = Literal["nominative", "accusative", "dative", "genitive"]

_GENDER_OF_ARTICLE: dict[str, Gender] = {"der": "m", "die": "f", "das": "n"}


@dataclass(frozen=True)
class Noun:
    """A noun with its plural; ``kind`` says what it can stand beside.

    ``genitive`` is the German one; masculine nouns whose genitive ends in n have that
    form in all cases but the nominative. ``parts`` of a compound are its modifier and
    its head, in English.
    """

    english: str
    english_plural: str
    german: str
    german_plural: str
    gender: Gender
    kind: str
    genitive: str = "-"
    parts: tuple[str, str] | None = None


@dataclass(frozen=True)
class Adjective:
    """``stem`` is what German endings are put to; "-": has no comparative."""

    english: str
    german: str
    stem: str
    english_comparative: str
    german_comparative: str
    kinds: frozenset[str]


@dataclass(frozen=True)
class Pronoun:
    """A personal pronoun; ``person`` is what verbs agree with."""

    english_subject: str
    english_object: str
    german: dict[str, str]
    person: Literal["I", "he", "they"]


def _nouns(kind: str, table: str) -> tuple[Noun, ...]:
    """Lines of English, its plural, German article, noun, plural, perhaps genitive."""
    nouns = []
    for line in table.strip().splitlines():
        english, plural, article, german, german_plural, *genitive = line.split()
        nouns.append(
            Noun(
                english,
                plural,
                german,
                german_plural,
                _GENDER_OF_ARTICLE[article],
                kind,
                genitive[0] if genitive else "-",
            )
        )
    return tuple(nouns)


def _compounds(modifiers: str, heads: str, nouns: tuple[Noun, ...]) -> tuple[Noun, ...]:
    """Every modifier (``english:German``) with every head, in one word in German."""
    by_english = {noun.english: noun for noun in nouns}
    compounds = []
    for modifier in modifiers.split():
        english, german = modifier.split(":")
        for head in (by_english[name] for name in heads.split()):
            compounds.append(
                Noun(
                    f"{english} {head.english}",
                    f"{english} {head.english_plural}",
                    german + head.german.lower(),
                    german + head.german_plural.lower(),
                    head.gender,
                    head.kind,
                    parts=(english, head.english),
                )
            )
    return tuple(compounds)


NOUNS: tuple[Noun, ...] = (
    *_nouns(
        "person",
        """
        uncle uncles der Onkel Onkel Onkels
        grandfather grandfathers der Großvater Großväter Großvaters
        king kings der König Könige Königs
        boy boys der Junge Jungen Jungen
        nephew nephews der Neffe Neffen Neffen
        waiter waiters der Kellner Kellner Kellners
        brother brothers der Bruder Brüder Bruders
        aunt aunts die Tante Tanten Tante
        grandmother grandmothers die Großmutter Großmütter Großmutter
        queen queens die Königin Königinnen Königin
        niece nieces die Nichte Nichten Nichte
        sister sisters die Schwester Schwestern Schwester
        girl girls das Mädchen Mädchen Mädchens
        """,
    ),
    *_nouns(
        "animal",
        """
        dog dogs der Hund Hunde
        bear bears der Bär Bären Bären
        cat cats die Katze Katzen
        goose geese die Gans Gänse
        mouse mice die Maus Mäuse
        horse horses das Pferd Pferde
        """,
    ),
    *_nouns(
        "machine",
        """
        television televisions der Fernseher Fernseher
        oven ovens der Ofen Öfen
        lamp lamps die Lampe Lampen
        radio radios das Radio Radios
        """,
    ),
    *_nouns(
        "device",
        """
        key keys der Schlüssel Schlüssel
        clock clocks die Uhr Uhren
        violin violins die Geige Geigen
        boat boats das Boot Boote
        bicycle bicycles das Fahrrad Fahrräder
        door doors die Tür Türen
        window windows das Fenster Fenster
        roof roofs das Dach Dächer
        """,
    ),
    *_nouns(
        "furniture",
        """
        chair chairs der Stuhl Stühle
        table tables der Tisch Tische
        cupboard cupboards der Schrank Schränke
        carpet carpets der Teppich Teppiche
        bed beds das Bett Betten
        """,
    ),
    *_nouns(
        "produce",
        """
        apple apples der Apfel Äpfel
        pear pears die Birne Birnen
        plum plums die Pflaume Pflaumen
        cherry cherries die Kirsche Kirschen
        potato potatoes die Kartoffel Kartoffeln
        egg eggs das Ei Eier
        """,
    ),
    *_nouns(
        "dish",
        """
        cake cakes der Kuchen Kuchen
        salad salads der Salat Salate
        soup soups die Suppe Suppen
        sausage sausages die Wurst Würste
        """,
    ),
    *_nouns(
        "text",
        """
        novel novels der Roman Romane
        letter letters der Brief Briefe
        newspaper newspapers die Zeitung Zeitungen
        story stories die Geschichte Geschichten
        book books das Buch Bücher
        song songs das Lied Lieder
        """,
    ),
    *_nouns(
        "clothes",
        """
        coat coats der Mantel Mäntel
        pullover pullovers der Pullover Pullover
        jacket jackets die Jacke Jacken
        sock socks die Socke Socken
        dress dresses das Kleid Kleider
        shirt shirts das Hemd Hemden
        """,
    ),
    *_nouns(
        "room",
        """
        cellar cellars der Keller Keller
        stable stables der Stall Ställe
        kitchen kitchens die Küche Küchen
        barn barns die Scheune Scheunen
        """,
    ),
    *_nouns(
        "building",
        """
        tower towers der Turm Türme
        church churches die Kirche Kirchen
        school schools die Schule Schulen
        mill mills die Mühle Mühlen
        museum museums das Museum Museen
        house houses das Haus Häuser
        """,
    ),
    *_nouns(
        "place",
        """
        garden gardens der Garten Gärten
        forest forests der Wald Wälder
        village villages das Dorf Dörfer
        """,
    ),
)

COMPOUNDS: tuple[Noun, ...] = (
    *_compounds(
        "garden:Garten kitchen:Küchen cellar:Keller church:Kirchen school:Schul "
        "museum:Museums",
        "door window key lamp clock table chair roof",
        NOUNS,
    ),
    *_compounds(
        "apple:Apfel pear:Birnen plum:Pflaumen cherry:Kirsch potato:Kartoffel",
        "cake soup salad",
        NOUNS,
    ),
    *_compounds(
        "winter:Winter summer:Sommer leather:Leder wool:Woll",
        "coat pullover jacket sock dress shirt",
        NOUNS,
    ),
)

EURO = Noun("euro", "euros", "Euro", "Euro", "m", "money")


def _adjectives(kinds: str, table: str) -> tuple[Adjective, ...]:
    """Lines of English, German, stem, and the two comparatives."""
    adjectives = []
    for line in table.strip().splitlines():
        english, german, stem, more, german_more = line.split()
        known = frozenset(kinds.split())
        adjectives.append(Adjective(english, german, stem, more, german_more, known))
    return tuple(adjectives)


ADJECTIVES: tuple[Adjective, ...] = (
    *_adjectives(
        "person animal machine device furniture text clothes room building place",
        """
        old alt alt older älter
        beautiful schön schön - schöner
        strange seltsam seltsam stranger seltsamer
        """,
    ),
    *_adjectives(
        "machine device furniture produce dish text clothes animal",
        """
        cheap billig billig cheaper billiger
        expensive teuer teur - teurer
        """,
    ),
    *_adjectives(
        "machine device furniture produce dish clothes room building place animal",
        """
        big groß groß bigger größer
        small klein klein smaller kleiner
        """,
    ),
    *_adjectives(
        "machine device furniture clothes animal",
        """
        black schwarz schwarz - -
        heavy schwer schwer heavier schwerer
        """,
    ),
    *_adjectives(
        "machine device furniture clothes produce",
        """
        red rot rot - -
        green grün grün - -
        """,
    ),
    *_adjectives(
        "machine device furniture clothes room building",
        """
        new neu neu newer neuer
        dirty schmutzig schmutzig dirtier schmutziger
        """,
    ),
    *_adjectives(
        "person animal",
        """
        young jung jung younger jünger
        hungry hungrig hungrig hungrier hungriger
        tired müde müd - -
        clever klug klug cleverer klüger
        """,
    ),
    *_adjectives(
        "person",
        """
        rich reich reich richer reicher
        proud stolz stolz prouder stolzer
        """,
    ),
    *_adjectives(
        "produce dish",
        """
        sweet süß süß sweeter süßer
        fresh frisch frisch fresher frischer
        """,
    ),
    *_adjectives(
        "room building place dish",
        """
        cold kalt kalt colder kälter
        warm warm warm warmer wärmer
        """,
    ),
    *_adjectives(
        "room building place",
        """
        dark dunkel dunkl darker dunkler
        """,
    ),
    *_adjectives(
        "text clothes",
        """
        long lang lang longer länger
        short kurz kurz shorter kürzer
        """,
    ),
    *_adjectives(
        "text",
        """
        exciting spannend spannend - spannender
        """,
    ),
)


def _pronouns(table: str) -> tuple[Pronoun, ...]:
    """Lines of subject and object, three German cases, and the verb's person."""
    pronouns = []
    for line in table.strip().splitlines():
        subject, other, nominative, accusative, dative, person = line.split()
        german = {
            "nominative": nominative,
            "accusative": accusative,
            "dative": dative,
        }
        pronouns.append(Pronoun(subject, other, german, person))  # type: ignore[arg-type]
    return tuple(pronouns)


PRONOUNS: tuple[Pronoun, ...] = _pronouns(
    """
    I me ich mich mir I
    he him er ihn ihm he
    she her sie sie ihr he
    we us wir uns uns they
    they them sie sie ihnen they
    """
)

POSSESSIVES = {"my": "mein", "his": "sein", "her": "ihr", "our": "unser"}
