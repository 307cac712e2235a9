"""Numbers from 2 to 99 in words."""


def _words(text: str) -> list[str]:
    return text.split()


_ENGLISH = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen "
    "fourteen fifteen sixteen seventeen eighteen nineteen"
)
_ENGLISH_TENS = _words("- - twenty thirty forty fifty sixty seventy eighty ninety")
_GERMAN = _words(
    "null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn "
    "vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn"
)
_GERMAN_TENS = _words(
    "- - zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
)


def in_english(number: int) -> str:
    """`twenty-one`."""
    if number < len(_ENGLISH):
        return _ENGLISH[number]
    tens, unit = divmod(number, 10)
    return _ENGLISH_TENS[tens] + (f"-{_ENGLISH[unit]}" if unit else "")


def in_german(number: int) -> str:
    """`einundzwanzig`: the unit comes first."""
    if number < len(_GERMAN):
        return _GERMAN[number]
    tens, unit = divmod(number, 10)
    return (f"{_GERMAN[unit]}und" if unit else "") + _GERMAN_TENS[tens]
