"""Names of languages: matched however they are written, and told from a text."""

import functools
from collections.abc import Iterable, Sequence
from typing import Any

#: Codes of languages written without spaces between words and sentences.
CHINESE = ("zh", "zho", "chi", "cmn", "yue", "wuu", "lzh")
JAPANESE = ("ja", "jpn")

# Shorter ones are mostly words of another kind.
_SHORTEST_NAME = 4
# Of a difference of logarithms: one language is so many times likelier.
_SURE = 10.0


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


def find_languages(
    names: Iterable[str], source: str, target: str
) -> tuple[str | None, str | None]:
    """`find_language` for two languages at once, which are never the same name."""
    listed = list(names)
    wanted = [_normalised(language) for language in (source, target)]
    exact = {_normalised(name): name for name in reversed(listed)}
    one, other = (exact.get(name) for name in wanted)
    one = one or find_language([name for name in listed if name != other], source)
    return one, other or find_language([each for each in listed if each != one], target)


def language_called(name: str) -> str | None:
    """The code of what a name stands for, or None.

    The name is a code of two or three letters, or a word of any language: "deu",
    "German", "allemand".
    """
    import langcodes

    name = name.strip()
    try:
        if langcodes.tag_is_valid(name):
            code = langcodes.get(langcodes.standardize_tag(name, macro=True)).language
            # Most words of three letters are the code of some language: "one", "two".
            return code if code is not None and len(code) == 2 else None
    except ValueError:
        pass
    if len(name) < _SHORTEST_NAME:
        return None
    try:
        return langcodes.find(name).language
    except LookupError:
        return None


def told_apart(
    texts: Sequence[str], other_texts: Sequence[str], one: str, other: str
) -> bool | None:
    """Whether some texts are in one language and others in the other.

    Returns:
        True; False if they are the other way round; None where the texts do not say, or
        the languages are not known.
    """
    codes = [language_called(language) for language in (one, other)]
    identifier = _identifier()
    if len(set(codes)) < 2 or not set(codes) <= set(identifier.labels):
        return None
    identifier.set_languages(codes)
    try:
        margins = []
        for each in (texts, other_texts):
            likelihood = dict(identifier.rank(" ".join(each)))
            margins.append(likelihood[codes[0]] - likelihood[codes[1]])
    finally:
        identifier.set_languages()
    if margins[0] > _SURE and margins[1] < -_SURE:
        return True
    return False if margins[0] < -_SURE and margins[1] > _SURE else None


@functools.cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE)


def _normalised(name: str) -> str:
    return name.strip().replace("_", "-").casefold()
