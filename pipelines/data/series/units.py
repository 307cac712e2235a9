"""Units that are converted by name: `data.units`."""

import re

from ...core.errors import UserError

# By quantity: of each unit what a value is multiplied by, and what is added then, to be
# in the first one.
_UNITS: dict[str, dict[str, tuple[float, float]]] = {
    "temperature": {
        "degC": (1, 0),
        "degF": (5 / 9, -160 / 9),
        "K": (1, -273.15),
    },
    "speed": {
        "m/s": (1, 0),
        "km/h": (1 / 3.6, 0),
        "mph": (0.44704, 0),
        "kn": (1852 / 3600, 0),
        "ft/s": (0.3048, 0),
    },
    "pressure": {
        "hPa": (1, 0),
        "Pa": (0.01, 0),
        "kPa": (10, 0),
        "bar": (1000, 0),
        "inHg": (33.86389, 0),
        "mmHg": (1.33322387, 0),
        "psi": (68.9475729, 0),
    },
    "length": {
        "m": (1, 0),
        "mm": (0.001, 0),
        "cm": (0.01, 0),
        "km": (1000, 0),
        "in": (0.0254, 0),
        "ft": (0.3048, 0),
        "mi": (1609.344, 0),
    },
    "energy": {
        "kWh": (1, 0),
        "Wh": (0.001, 0),
        "MWh": (1000, 0),
        "J": (1 / 3.6e6, 0),
        "kJ": (1 / 3600, 0),
        "MJ": (1 / 3.6, 0),
    },
    "power": {"kW": (1, 0), "W": (0.001, 0), "MW": (1000, 0)},
    "angle": {"deg": (1, 0)},
    "share": {"1": (1, 0), "%": (0.01, 0)},
}
_OTHER_NAMES = {
    **dict.fromkeys(("°c", "c", "degc", "deg c", "celsius"), "degC"),
    **dict.fromkeys(("°f", "f", "degf", "deg f", "fahrenheit"), "degF"),
    **dict.fromkeys(("k", "kelvin"), "K"),
    **dict.fromkeys(("ms-1", "m s-1", "mps"), "m/s"),
    **dict.fromkeys(("kmh", "kph", "km h-1"), "km/h"),
    **dict.fromkeys(("mp/h", "mi/h"), "mph"),
    **dict.fromkeys(("kt", "kts", "knots", "knot"), "kn"),
    **dict.fromkeys(("hpa", "mbar", "mb", "millibar"), "hPa"),
    **dict.fromkeys(("inhg",), "inHg"),
    **dict.fromkeys(("mmhg",), "mmHg"),
    **dict.fromkeys(("kwh",), "kWh"),
    **dict.fromkeys(("inches", "inch", '"'), "in"),
    **dict.fromkeys(("feet",), "ft"),
    **dict.fromkeys(("mile", "miles"), "mi"),
    **dict.fromkeys(("percent", "pct"), "%"),
    **dict.fromkeys(("°", "degree", "degrees"), "deg"),
}
# Of values in tenths of a unit, or in tens of it: "0.1 degC", "10s deg".
_FACTOR = re.compile(r"(?P<factor>0?\.\d+|10+)s?\s*(?P<unit>\D.*)")


def conversion(unit: str, to: str, column: str) -> tuple[float, float]:
    """What values are multiplied by, and what is added then, to be in another unit.

    Args:
        unit: of the values, perhaps with a factor: "0.1 degC".
        to: the other one.
        column: for the message.

    Raises:
        UserError: one is not known, or they are not of one quantity.
    """
    factor, base = _parted(unit)
    for units in _UNITS.values():
        source, target = (_find(units, each) for each in (base, to))
        if source is not None and target is not None:
            scale = source[0] / target[0]
            return factor * scale, (source[1] - target[1]) / target[0]
    known = ", ".join(name for units in _UNITS.values() for name in units)
    raise UserError(
        f"data.units: {column} cannot be converted from {unit or 'no unit'!r} to "
        f"{to!r}; known are {known}"
    )


def without_factor(unit: str) -> str:
    """``"deg"`` of ``"10s deg"``."""
    return _parted(unit)[1]


def same_unit(unit: str, other: str) -> bool:
    """Whether two spellings are of one unit: W/m² and W/m^2, ° and deg."""
    return _spelled(unit) == _spelled(other)


def _spelled(unit: str) -> str:
    plain = re.sub(r"[\s^*]", "", unit.lower()).replace("μ", "µ")
    plain = plain.replace("²", "2").replace("³", "3")
    return "deg" if plain in ("°", "degree", "degrees") else plain


def can_convert(unit: str, to: str) -> bool:
    """Whether both are known and of one quantity."""
    base = without_factor(unit)
    return any(
        _find(units, base) is not None and _find(units, to) is not None
        for units in _UNITS.values()
    )


def _parted(unit: str) -> tuple[float, str]:
    found = _FACTOR.fullmatch(unit.strip())
    return (float(found["factor"]), found["unit"]) if found else (1.0, unit)


def _find(
    units: dict[str, tuple[float, float]], name: str
) -> tuple[float, float] | None:
    # Case tells mW from MW, so that only names of the table above go without it.
    plain = name.strip()
    known = plain if plain in units else _OTHER_NAMES.get(plain.lower(), "")
    return units.get(known)
