"""The verbs of the embedded translation sample, each with one German verb."""

from dataclasses import dataclass
from typing import Literal

from .translation_lexicon import Case


@dataclass(frozen=True)
class Verb:
    """A verb, in English perhaps with a particle or a preposition behind it.

    Args:
        base, third, participle: English; "goes" is the third person.
        particle: stands behind a pronoun and before any other object: "picks him up".
        preposition: stands before each object: "looks for him".
        prefix: of a separable German verb, or "".
        infinitive, third_german: without the prefix.
        participle_german: with the prefix.
        auxiliary: of the German perfect.
        case: of the German object, where there is one.
        objects: kinds of nouns that can be the object.
        subjects: kinds of nouns that can be the subject.
    """

    base: str
    third: str
    participle: str
    particle: str
    preposition: str
    prefix: str
    infinitive: str
    third_german: str
    participle_german: str
    auxiliary: Literal["haben", "sein"]
    case: Case = "accusative"
    objects: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset({"person"})


_GOODS = "machine device furniture produce dish text clothes animal"


def _verbs(table: str, case: Case = "accusative") -> tuple[Verb, ...]:
    """Lines of the English base and participle, then of the German forms.

    ``up`` behind a comma is a particle, ``for`` behind a plus a preposition; what a
    star follows animals do too. German: infinitive, third person, participle; the
    prefix stands before a stroke, and behind ``ist`` the perfect goes with sein. A line
    that ends in a colon has the kinds of the objects of the verbs below it.
    """
    verbs = []
    objects: list[str] = []
    for line in table.strip().splitlines():
        if line.endswith(":"):
            objects = line.removesuffix(":").split()
            continue
        base, participle, infinitive, third, participle_german, *is_sein = line.split()
        animals = base.endswith("*")
        base, _, particle = base.rstrip("*").partition(",")
        base, _, preposition = base.partition("+")
        prefix, _, infinitive = infinitive.rpartition("/")
        verbs.append(
            Verb(
                base,
                _third_person(base),
                participle,
                particle,
                preposition,
                prefix,
                infinitive,
                third,
                participle_german,
                "sein" if is_sein else "haben",
                case,
                frozenset(objects),
                frozenset(("person", "animal") if animals else ("person",)),
            )
        )
    return tuple(verbs)


def _third_person(base: str) -> str:
    if base.endswith(("s", "sh", "ch", "o")):
        return f"{base}es"
    if base.endswith("y") and base[-2] not in "aeiou":
        return f"{base[:-1]}ies"
    return f"{base}s"


TRANSITIVE = _verbs(
    f"""
    machine device:
        repair repaired reparieren repariert repariert
    {_GOODS}:
        sell sold verkaufen verkauft verkauft
        buy bought kaufen kauft gekauft
    device furniture text clothes animal:
        find* found finden findet gefunden
    text clothes:
        lose lost verlieren verliert verloren
    furniture machine:
        carry carried tragen trägt getragen
    clothes:
        wear worn tragen trägt getragen
        put,on put an/ziehen zieht angezogen
        try,on tried an/probieren probiert anprobiert
        sew sewn nähen näht genäht
    produce text clothes furniture:
        throw,away thrown weg/werfen wirft weggeworfen
    produce dish text clothes:
        bring,along brought mit/bringen bringt mitgebracht
    text clothes person:
        forget forgotten vergessen vergisst vergessen
    machine device furniture clothes:
        need needed brauchen braucht gebraucht
    text clothes dish:
        hide hidden verstecken versteckt versteckt
    animal place building person:
        photograph photographed fotografieren fotografiert fotografiert
    place building person clothes:
        admire admired bewundern bewundert bewundert
    clothes text device:
        steal stolen stehlen stiehlt gestohlen
    clothes animal produce:
        wash washed waschen wäscht gewaschen
    place building room:
        enter* entered betreten betritt betreten
    room:
        tidy,up tidied auf/räumen räumt aufgeräumt
    person place building:
        visit visited besuchen besucht besucht
    produce dish:
        eat eaten essen isst gegessen
    produce:
        peel peeled schälen schält geschält
    dish machine:
        order ordered bestellen bestellt bestellt
    text:
        read read lesen liest gelesen
        write written schreiben schreibt geschrieben
        read,out read vor/lesen liest vorgelesen
        translate translated übersetzen übersetzt übersetzt
    machine:
        switch,on switched ein/schalten schaltet eingeschaltet
        switch,off switched aus/schalten schaltet ausgeschaltet
    furniture device building:
        build built bauen baut gebaut
    person:
        invite invited ein/laden lädt eingeladen
        phone phoned an/rufen ruft angerufen
        pick,up picked ab/holen holt abgeholt
        greet greeted grüßen grüßt gegrüßt
        wake* woken wecken weckt geweckt
    person place text:
        know known kennen kennt gekannt
    person animal place:
        love* loved lieben liebt geliebt
    person animal building:
        see* seen sehen sieht gesehen
    person animal:
        hear* heard hören hört gehört
    person dish:
        praise praised loben lobt gelobt
    device text clothes person animal:
        look+for* looked suchen sucht gesucht
    animal:
        feed fed füttern füttert gefüttert
    """
)

WITH_DATIVE = _verbs(
    """
    person:
        help helped helfen hilft geholfen
        thank thanked danken dankt gedankt
        answer answered antworten antwortet geantwortet
        congratulate congratulated gratulieren gratuliert gratuliert
        agree+with agreed zu/stimmen stimmt zugestimmt
    person animal:
        follow* followed folgen folgt gefolgt ist
    person:
        trust* trusted vertrauen vertraut vertraut
        listen+to* listened zu/hören hört zugehört
    """,
    "dative",
)

#: Two objects: to whom, in the dative, and what.
DITRANSITIVE = _verbs(
    """
    produce dish text clothes:
        give given geben gibt gegeben
    text clothes device animal:
        show shown zeigen zeigt gezeigt
    text clothes:
        send sent schicken schickt geschickt
    text clothes device:
        lend lent leihen leiht geliehen
    produce dish clothes:
        offer offered an/bieten bietet angeboten
    """
)

#: What one can do somewhere, or with or for somebody.
ACTIVITIES = _verbs(
    """
    sleep* slept schlafen schläft geschlafen
    wait* waited warten wartet gewartet
    play* played spielen spielt gespielt
    laugh laughed lachen lacht gelacht
    dance danced tanzen tanzt getanzt
    work worked arbeiten arbeitet gearbeitet
    sing sung singen singt gesungen
    cook cooked kochen kocht gekocht
    shop shopped ein/kaufen kauft eingekauft
    """,
)

HAPPENINGS = _verbs(
    """
    fall,asleep* fallen ein/schlafen schläft eingeschlafen ist
    wake,up* woken auf/wachen wacht aufgewacht ist
    get,up* got auf/stehen steht aufgestanden ist
    arrive* arrived an/kommen kommt angekommen ist
    """,
)

MOTIONS = _verbs(
    """
    go* gone gehen geht gegangen ist
    run* run laufen läuft gelaufen ist
    come* come kommen kommt gekommen ist
    """,
)

#: Verbs with an infinitive: "tries to sleep", "versucht zu schlafen".
WITH_INFINITIVE = _verbs(
    """
    try tried versuchen versucht versucht
    forget forgotten vergessen vergisst vergessen
    promise promised versprechen verspricht versprochen
    plan planned planen plant geplant
    """,
)

#: Verbs with a clause: "says that ...", "sagt, dass ...".
WITH_CLAUSE = _verbs(
    """
    say said sagen sagt gesagt
    believe believed glauben glaubt geglaubt
    hope hoped hoffen hofft gehofft
    """,
)

#: "asks whether ...", "fragt, ob ...".
WITH_QUESTION = _verbs("ask asked fragen fragt gefragt")

BE = Verb("be", "is", "been", "", "", "", "sein", "ist", "gewesen", "sein")
(COST,) = _verbs("cost cost kosten kostet gekostet")
