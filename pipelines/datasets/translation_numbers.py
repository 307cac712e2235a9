"""Numbers, ordinals and times of the clock in words, in English and in German."""


def _words(text: str) -> list[str]:
    return text.split()


_ENGLISH = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_ENGLISH_TENS = _words("- - twenty thirty forty fifty sixty seventy eighty ninety")
_ENGLISH_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}

_GERMAN = _words(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn "
    "vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_GERMAN_TENS = _words(
    "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
)
_GERMAN_ORDINALS = {1: "ersten", 3: "dritten", 7: "siebten", 8: "achten"}

#: Minutes past or to the hour.
MINUTES = {
    "a quarter past": "Viertel nach",
    "a quarter to": "Viertel vor",
    "five past": "fünf nach",
    "five to": "fünf vor",
    "ten past": "zehn nach",
    "ten to": "zehn vor",
    "twenty past": "zwanzig nach",
    "twenty to": "zwanzig vor",
}


def in_english(number: int) -> str:
    """``twenty-one``; up to 99."""
    tens, unit = divmod(number, 10)
    if number < len(_ENGLISH):
        return _ENGLISH[number]
    return _ENGLISH_TENS[tens] + (f"-{_ENGLISH[unit]}" if unit else "")


def in_german(number: int) -> str:
    """``einundzwanzig``; up to 99."""
    tens, unit = divmod(number, 10)
    if number < len(_GERMAN):
        return _GERMAN[number]
    if not unit:
        return _GERMAN_TENS[tens]
    return f"{'ein' if unit == 1 else _GERMAN[unit]}und{_GERMAN_TENS[tens]}"


def ordinal_in_english(number: int) -> str:
    """``twenty-first``."""
    head, hyphen, last = in_english(number).rpartition("-")
    if last.endswith("y"):
        return f"{last[:-1]}ieth"
    return head + hyphen + _ENGLISH_ORDINALS.get(last, f"{last}th")


def ordinal_in_german(number: int) -> str:
    """``einundzwanzigsten``, as it stands behind ``am``."""
    if number in _GERMAN_ORDINALS:
        return _GERMAN_ORDINALS[number]
    return in_german(number) + ("ten" if number < 20 else "sten")


def hour(number: int, past: str = "") -> tuple[str, str]:
    """A time from ``past`` ("", "half past" or of ``MINUTES``) and an hour up to 12.

    German counts the halves towards the hour to come: half past three is ``halb vier``.
    """
    if not past:
        german = f"{'ein' if number == 1 else in_german(number)} Uhr"
        return f"at {in_english(number)} o'clock", f"um {german}"
    if past == "half past":
        return f"at half past {in_english(number)}", f"um halb {_next(number)}"
    german = f"um {MINUTES[past]} {in_german(number)}"
    return f"at {past} {in_english(number)}", german


def _next(number: int) -> str:
    return in_german(number % 12 + 1)
