"""What a variable is, by whole words of its name and by its unit."""

import re
from collections.abc import Iterable

from .rules import Kind, Rule


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_DIRECTION = _set(
    "direction dir bearing drct wd dd wdir wdird wdr drn dirn azimuth richtung "
    "windrichtung winddir winddirection windbearing heading"
)
_AMOUNT = _set(
    "rain rainfall raining precip precipitation prcp pcpn ppt snowfall niederschlag "
    "niederschlagshoehe niederschlagshöhe niederschlagsmenge sunshine "
    "sonnenscheindauer sonnenschein tp rr evapotranspiration evaporation eto et0 "
    "tsun count counts showers hail"
)
# Behind an amount's word: not the amount, but something about it.
_NOT_AMOUNT = _set(
    "rate intensity probability prob pop chance depth type code flag quality "
    "attributes indicator indikator form state"
)
_MAGNITUDE = _set(
    "speed ws wv wdsp spd sknt wspd windspeed geschwindigkeit windgeschwindigkeit "
    "gust gusts wpgt wsg visibility vsby visib sicht radiation irradiance swdr par "
    "ghi dni dhi solar illuminance lux depth intensity rate concentration"
)
_PERCENTAGE = _set(
    "rh rhum relh relhum humidity feuchte luftfeuchte luftfeuchtigkeit probability "
    "prob pop cloudcover cloudiness percent percentage pct"
)
# Of a name with one of these a humidity or a cover is no percentage.
_NOT_PERCENTAGE = _set("specific absolute mixing abs")
_STATE = _set(
    "state status code weathercode coco mode flag flags quality qn type switch "
    "occupancy indicator"
)
_MEAN = _set("mean average avg mittel median")
_MAX = _set("max maximum maximal gust gusts wpgt wsg peak highest fx tmax mxspd")
_MIN = _set("min minimum minimal lowest tmin tn")
# Hi Temp, Low Temp; a low cloud is no extreme.
_HIGH, _LOW = frozenset(("hi", "high")), frozenset(("lo", "low"))
_HAS_HIGHS = _set("temp temperature speed bar hum humidity")
_DEGREE_UNITS = frozenset(("deg", "degree", "degrees", "°", "degt", "degtrue"))
_PERCENT_UNITS = frozenset(("%", "percent", "pct", "prozent"))
_RATE_UNIT = re.compile(r"/\s*(?:h|hr|hour|s|min|d|day)\b|(?:h|s|d)-1|(?:h|s)⁻¹")
_SPEED_UNITS = _set("m/s km/h kmh kph mph mp/h kn knots knot kt kts ms-1 m.s-1 ft/s")
_FLUX_UNITS = frozenset(("w/m²", "w/m2", "w/m**2", "w/m^2", "µmol/m²/s", "lux", "lx"))
_JOINT = re.compile(
    r"(?<=[a-zà-ÿ])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=\d)(?=\D)|(?<=\D)(?=\d)"
)
_BEFORE = ("wind", "max", "min", "avg", "mean", "rel", "relative", "temp", "cloud")
_KNOWN = _DIRECTION | _AMOUNT | _MAGNITUDE | _PERCENTAGE | _STATE | _MAX | _MIN


def words_of(name: str) -> list[str]:
    """``"windDirection_10m"`` as ``["wind", "direction", "10", "m"]``."""
    words: list[str] = []
    for chunk in re.findall(r"[^\W_]+", name.replace("\u00ad", "")):
        # A whole chunk that is known is not taken apart: p01i, et0, WDSP.
        lower = chunk.lower()
        parts = [lower] if lower in _KNOWN else _JOINT.split(chunk)
        for part in parts:
            words += _taken_apart(part.lower())
    return words


def kind_of(name: str, unit: str) -> Kind:
    """What name and unit say that a variable is."""
    words, unit = set(words_of(name)), _plain(unit)
    if words & _DIRECTION and (not unit or unit in _DEGREE_UNITS):
        return "direction"
    if unit in _PERCENT_UNITS:
        return "percentage"
    if words & _PERCENTAGE and not unit and not words & _NOT_PERCENTAGE:
        return "percentage"
    if (words & _AMOUNT or _is_precipitation_code(name)) and not words & _NOT_AMOUNT:
        return "magnitude" if _RATE_UNIT.search(unit) else "amount"
    if (words & _STATE and not unit) or "code" in unit.split():
        return "state"
    if unit in _SPEED_UNITS or unit in _FLUX_UNITS:
        return "magnitude"
    if words & _MAGNITUDE or (words & _AMOUNT and words & {"rate", "intensity"}):
        return "magnitude"
    if "snow" in words:
        return "magnitude"
    return "number"


def rule_of(name: str, kind: Kind) -> Rule:
    """How steps of such a variable are put together."""
    if kind == "direction":
        return "circular"
    extreme = _extreme(words_of(name))
    if extreme is not None:
        return extreme
    return {"amount": "sum", "state": "last"}.get(kind, "mean")  # type: ignore[return-value]


def is_precipitation(name: str) -> bool:
    """Whether a trace of it can be written as T."""
    words = set(words_of(name))
    fell = words & (_AMOUNT - {"count", "counts"} | {"snow", "snowdepth", "snwd"})
    return bool(fell) or _is_precipitation_code(name)


def _extreme(words: list[str]) -> Rule | None:
    """Behind a number ``min`` is a duration; a mean is no extreme, whatever of."""
    if _MEAN & set(words):
        return None
    for before, word, after in zip(["", *words], words, [*words[1:], ""], strict=False):
        has_highs = after in _HAS_HIGHS
        if word in _MAX or (word in _HIGH and has_highs):
            return "max"
        if (word in _MIN and not before.isdigit()) or (word in _LOW and has_highs):
            return "min"
    return None


def _is_precipitation_code(name: str) -> bool:
    """``p01i`` of airports, ``rr24`` and ``RR1`` of met offices."""
    return re.fullmatch(r"p\d\d[im]|rr?\d{1,2}h?", name.strip(), re.I) is not None


def _plain(unit: str) -> str:
    return unit.strip().lower().replace("μ", "µ")


def _taken_apart(word: str) -> Iterable[str]:
    """A word, or the two known ones that it is put together of: windspeed."""
    if word in _KNOWN:
        return [word]
    for first in _BEFORE:
        rest = word.removeprefix(first)
        if rest != word and rest in _KNOWN:
            return [first, rest]
    return [word]
