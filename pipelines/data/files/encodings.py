"""The encoding of a text file: said by its bytes, or guessed from its letters."""

import codecs
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from charset_normalizer import from_bytes

from ...core.errors import UserError
from ..reading import Decision

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
#: Of a file in one of these each line may be in the other.
BY_LINE = ("utf-8", "cp1252")
#: What text in ISO-2022-JP has, whose bytes are UTF-8 too.
JAPANESE_ESCAPE = b"\x1b$"
_UTF_8_MARK = b"\xef\xbb\xbf"
#: Why a line or file cannot be read.
UNDECODABLE = (
    "bytes that are neither UTF-8 nor cp1252; convert the file to UTF-8, or name its "
    "encoding (data.encoding)"
)
# Western text in cp1252 has accented letters one or two at a time. A longer run is
# text of another script in an encoding of its own (GBK, Shift-JIS, KOI8-R, ...).
_NOT_WESTERN = re.compile(rb"[\x80-\xff]{5}")
# Letters of Central Europe, and of DOS, that cp1252 takes for signs inside words:
# "d³ugo", "pr‚t". A dot is one inside Catalan words.
_SIGN_IN_WORD = re.compile(
    r"[^\W\d_][\xa1-\xb6\xb8\xbb-\xbf\xd7\xf7"
    r"\u201a\u201e\u2020\u2021\u2030\u02c6][^\W\d_]"
)
_USUAL = (
    *("cp1252", "cp1250", "iso8859_2", "cp1251", "koi8_r", "cp1253", "cp1254"),
    *("cp1255", "cp1256", "cp1257", "gb18030", "big5", "cp932", "euc_jp", "cp949"),
)
# Scripts that only the right encoding shows so much of.
_KANA = [(name, re.compile(r"[\u3041-\u30ff]"), 0.2) for name in ("cp932", "euc_jp")]
_HANGUL = [("cp949", re.compile(r"[\uac00-\ud7a3]"), 0.9)]
# Turkish letters are taken for Icelandic ones, which stand beside no such others.
_TURKISH = (re.compile(r"[þðÞÐ]"), re.compile(r"[çüÇÜ]"))
# So are Romanian ones. Czech and Croatian letters are taken for some of the west,
# beside more of š and ž than stand there, and Hungarian ones for Portuguese ones.
_ROMANIAN = (re.compile(r"[þÞ]"), re.compile(r"[ãÃ]"))
_SLAVIC = (re.compile(r"[šžŠŽ]"), re.compile(r"[èìùøòæÈÌÙØÒÆ]"))
_NOT_SLAVIC = re.compile(r"[åÅäÄ]")
_HUNGARIAN = (re.compile(r"[õÕ]"), re.compile(r"[öüÖÜ]"), re.compile(r"[áéÁÉ]"))
_NOT_HUNGARIAN = re.compile(r"[ãçàâêñäÃÇÀÂÊÑÄ]")
# What Western texts seldom have, and others do that are read as cp1252: Turkish and
# Baltic letters as Icelandic ones, Romanian and Hungarian as Portuguese ones elsewhere
# than these stand, Slavic ones as Italian and Danish ones, signs and capitals in words,
# Vietnamese tones, which are signs of their own, as a second vowel.
_DOUBTFUL = [
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r"(?=.*[ðþýÐÞÝ])(?:.*[àèëøûùçâãü]|[^áíóúæÁÍÓÚÆ]*$)",
        r".*ã(?![oes\W])",
        r"(?=.*[õÕ](?!e))(?=.*[áéíóú])",
        r"(?=.*[šžŠŽ])(?!.*[åøäöÅØÄÖ]).*(?:è\w|æ)",
        r".*(?:[^\W\d_][¹º][^\W\d_]|(?<!\w)[¾¼¹³][^\W\d_]|[a-z][ŠŒŽŸ][a-z])",
        r".*(?:[âêôõýã][ìòÌÒÞ]|[a-z][ÌÒÞ](?![A-Z]))",
    )
]
_BEYOND_ASCII = re.compile(r"[^\W\d_a-zA-Z]")
# Of the letters beyond ASCII, so many are of such a kind.
_OF_LETTERS = 0.08
# What a guess looks at, and the bytes that it needs.
_MOST_BYTES, _FEWEST_BYTES = 100_000, 12
# How much more of a language's usual letters another encoding must show.
_CLEARLY = 0.08


@dataclass
class DecodedText:
    """A text with its lines by encoding, and the 1-based undecodable ones."""

    text: str
    encodings: dict[str, int] = field(default_factory=dict)
    undecodable: set[int] = field(default_factory=set)


def decode_text(data: bytes, encoding: str | None = None) -> tuple[str, str] | None:
    """Decodes one line or one text: by its byte-order mark, or UTF-8, or else cp1252.

    Args:
        data: the bytes.
        encoding: the encoding, where it is known.

    Returns:
        The text and the name of its encoding, or None where it is neither: bytes that
        cp1252 has no letter for, or five and more non-ASCII bytes in a row, which is
        no Western text.
    """
    if encoding is not None:
        return _decoded(data, encoding)
    if data.startswith(UTF_16_MARKS):
        return _decoded(data, "utf-16")
    as_utf_8 = _decoded(data, "utf-8")
    if as_utf_8 is not None or _NOT_WESTERN.search(data):
        return as_utf_8
    return _decoded(data, "cp1252")


def decode_lines(data: bytes, encoding: str | None) -> DecodedText:
    """Decodes a file, line by line where that is needed.

    Args:
        data: the bytes.
        encoding: None: each line is UTF-8 or else cp1252.

    Raises:
        UserError: a file in an encoding whose lines cannot be told apart is broken.
    """
    if encoding is None and data.startswith(UTF_16_MARKS):
        encoding = "utf-16"
    whole = _decoded(data, encoding or "utf-8")
    if whole is not None:
        lines = len(whole[0].rstrip("\r\n").split("\n"))
        return DecodedText(whole[0], {whole[1]: lines})
    if encoding is not None and not _has_ascii_lines(encoding):
        raise UserError(f"broken {encoding.upper()}")
    counts: Counter[str] = Counter()
    decoded_lines, undecodable = [], set()
    for number, line in enumerate(_byte_lines(data), start=1):
        decoded = decode_text(line, encoding)
        if decoded is None:
            undecodable.add(number)
            decoded_lines.append(line.decode("ascii", errors="replace"))
        else:
            decoded_lines.append(decoded[0])
            counts[decoded[1]] += bool(line)
    return DecodedText("\n".join(decoded_lines), dict(counts), undecodable)


def check_encoding(name: str) -> str:
    """The name. Raises UserError where Python knows no such encoding of text."""
    try:
        known = codecs.lookup(name)._is_text_encoding
    except LookupError:
        known = False
    if not known:
        raise UserError(
            f"data.encoding: unknown encoding {name!r}; such as utf-8, cp1252, "
            "shift_jis, koi8-r, gbk or iso8859-2 was expected"
        )
    return name


def guess_encoding(data: bytes) -> Decision:
    """What the bytes say.

    Raises:
        UserError: the text is in none of the encodings that are read by themselves,
            and its letters do not tell in which.
    """
    if data.startswith(UTF_16_MARKS):
        return Decision("utf-16", "its byte-order mark")
    if JAPANESE_ESCAPE in data and _decoded(data, "iso2022_jp") is not None:
        return Decision("iso2022_jp", "its escape sequences")
    if _decoded(data, "utf-8") is not None:
        return Decision("utf-8", "all bytes")
    lines = [line for line in _byte_lines(data) if not line.isascii()]
    in_utf_8 = sum(_decoded(line, "utf-8") is not None for line in lines)
    sample = _joined(lines)
    high = sum(byte > 127 for byte in sample)
    if in_utf_8 or high < _FEWEST_BYTES:
        evidence = f"{in_utf_8:,} of {len(lines):,} lines beyond ASCII are UTF-8"
        return Decision("utf-8", evidence) if in_utf_8 else _western(sample, evidence)
    return _guess_by_letters(sample)


def fits_encoding(data: bytes, encoding: str) -> bool:
    """Whether a file may be in an encoding that another file of its kind was in."""
    if data.startswith(UTF_16_MARKS) or encoding.startswith("utf"):
        return guess_encoding(data).value == encoding
    in_utf_8 = _decoded(data, "utf-8") is not None
    return _decoded(data, encoding) is not None and (data.isascii() or not in_utf_8)


def _guess_by_letters(sample: bytes) -> Decision:
    matches = list(from_bytes(sample, cp_isolation=[*_USUAL]))
    coherence = {match.encoding: match.coherence for match in matches}
    by_script = _by_script(sample)
    if by_script:
        return _guessed(by_script, coherence)
    best = next(iter(coherence), "cp1252")
    if _may_be_western(sample):
        usual = coherence.get("cp1252", 1.0)
        if coherence.get(best, 0.0) < usual + _CLEARLY:
            return _western(sample, "letters of Western Europe")
        return _guessed(best, coherence)
    coherence.pop("cp1252", None)
    best = next(iter(coherence), "")
    if not best or (len(coherence) > 1 and not coherence[best]):
        raise UserError(
            "neither UTF-8 nor cp1252, and its letters do not tell what it is; "
            f"data.encoding says it, such as {', '.join(list(coherence)[:3]) or 'gbk'}"
        )
    return _guessed(best, coherence)


def _western(sample: bytes, evidence: str) -> Decision:
    """cp1252, and the others that it might be where its letters leave a doubt."""
    text = sample.decode("cp1252", errors="replace")
    is_doubtful = _SIGN_IN_WORD.search(text) or any(
        each.match(text) for each in _DOUBTFUL
    )
    others = "cp1250 or cp1254 or cp1257 or cp1258 or cp850 (data.encoding chooses)"
    return Decision("cp1252", evidence, others if is_doubtful else "")


def _by_script(sample: bytes) -> str | None:
    """The encoding in which nearly all is kana, or Hangul; None if there is none."""
    for name, letters, part in (*_KANA, *_HANGUL):
        text = _decoded(sample, name)
        if text is not None:
            beyond = re.findall(r"[^\x00-\x7f]", text[0])
            if len(letters.findall(text[0])) > part * len(beyond):
                return name
    return None


def _guessed(name: str, coherence: Mapping[str, float]) -> Decision:
    others = [other for other, usual in coherence.items() if usual and other != name]
    alternative = f"{' or '.join(others[:3]) or 'another'} (data.encoding chooses)"
    return Decision(name, "guessed from its letters", alternative)


def _may_be_western(sample: bytes) -> bool:
    text = _decoded(sample, "cp1252")
    return (
        text is not None
        and not _NOT_WESTERN.search(sample)
        and not _SIGN_IN_WORD.search(text[0])
        and not all(letters.search(text[0]) for letters in _TURKISH)
        and not all(letters.search(text[0]) for letters in _ROMANIAN)
        and not _may_be_hungarian(text[0])
        and not _may_be_slavic(text[0])
    )


def _may_be_hungarian(text: str) -> bool:
    is_like_it = all(letters.search(text) for letters in _HUNGARIAN)
    return is_like_it and not _NOT_HUNGARIAN.search(text)


def _may_be_slavic(text: str) -> bool:
    number = len(_BEYOND_ASCII.findall(text))
    has_both = "š" in text and "ž" in text and not _NOT_SLAVIC.search(text)
    return has_both and all(
        len(letters.findall(text)) > _OF_LETTERS * number for letters in _SLAVIC
    )


def _decoded(data: bytes, encoding: str) -> tuple[str, str] | None:
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8"):
        data = data.removeprefix(_UTF_8_MARK)
    try:
        return data.decode(encoding), encoding
    except UnicodeError:
        return None


def _has_ascii_lines(encoding: str) -> bool:
    return "\n,a".encode(encoding) == b"\n,a"


def _byte_lines(data: bytes) -> list[bytes]:
    return (data if b"\n" in data else data.replace(b"\r", b"\n")).split(b"\n")


def _joined(lines: list[bytes]) -> bytes:
    sample, size = [], 0
    for line in lines:
        sample.append(line)
        size += len(line) + 1
        if size > _MOST_BYTES:
            break
    return b"\n".join(sample)
