"""Names of languages: matched however they are written."""

from collections.abc import Iterable

#: Codes of languages written without spaces between words and sentences.
CHINESE = ("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh")
JAPANESE = ("ja", "jpn")


def find_language(names: Iterable[str], language: str) -> str | None:
    """Of the names the one that stands for a language, or None.

    It is the same one, whatever its case and with "_" for "-"; or else the only one
    that differs in the region alone: "en-GB" for "en", and "en" for "en-GB".
    """
    listed = list(names)
    wanted = _normalised(language)
    for name in listed:
        if _normalised(name) == wanted:
            return name
    main = wanted.partition("-")[0]
    similar = [
        name
        for name in listed
        if _normalised(name).partition("-")[0] == main
        and main in (wanted, _normalised(name))
    ]
    return similar[0] if len(similar) == 1 else None


def _normalised(name: str) -> str:
    return name.strip().replace("_", "-").casefold()
