"""From raw strings to token and n-gram ids, all of it in the graph."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ..core.errors import UserError
from ..core.files import read_json
from ..data.texts.words import WITHOUT_SPACES, WORD_CHARACTERS
from .config import SentimentConfig, TextConfig
from .linear_members import has_linear_members
from .tokenization import (
    APOSTROPHES,
    EMPTY_TOKEN,
    LETTERS_I,
    PADDING,
    SEPARATORS,
    UNKNOWN,
    VERSION,
)
from .visible_text import visible_text

#: Which rules make tokens, in a run's assets; runs without it have the first ones.
RULES_FILE = "tokens.json"

_ALONE = rf"([{WITHOUT_SPACES}]|[^{WORD_CHARACTERS}'\s])"
# Beside a space an apostrophe is a quotation mark. Two patterns, since one match of
# both would take the space that stands between two quotations from the second.
_LINE_BREAK = r"<[bB][rR][\t\n\f\r ]*/?>"
_OPENING_QUOTE, _CLOSING_QUOTE = r"(^|\s)'+", r"'+(\s|$)"


def tokenize(
    text: tf.Tensor, lowercase: bool, version: int = VERSION
) -> tf.RaggedTensor:
    """Tokens of each text.

    Texts are read as they are seen: see `data.texts.visible_text`. Control characters
    and every kind of space separate tokens. Scripts written without spaces are split by
    character, all else by word; an apostrophe stays in its word, other signs are
    tokens. Bytes that are no UTF-8 become the replacement character; a text without any
    token has the one token `EMPTY_TOKEN`.

    Args:
        text: string `[N]`.
        lowercase: Whether case is dropped.
        version: Of the rules, as `tokenization.VERSION` says.

    Returns:
        Ragged string `[N, (tokens)]`.
    """
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    if version == 1:
        text = tf.strings.regex_replace(text, _LINE_BREAK, " ")
    else:
        text = visible_text(text)
    text = tf.strings.regex_replace(text, f"[{SEPARATORS}]+", " ")
    text = tf.strings.regex_replace(text, f"[{APOSTROPHES}]", "'")
    if lowercase:
        if version > 1:
            # What TensorFlow makes of these depends on the server's locale.
            text = tf.strings.regex_replace(text, LETTERS_I, "i")
        text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, _ALONE, r" \1 ")
    text = tf.strings.regex_replace(text, _OPENING_QUOTE, " ' ")
    text = tf.strings.regex_replace(text, _CLOSING_QUOTE, " ' ")
    text = tf.strings.strip(text)
    text = tf.where(tf.equal(text, ""), EMPTY_TOKEN, text)
    return tf.strings.split(text)


def head_length(text: TextConfig) -> int:
    """Of the tokens that the recurrent branch reads, those of a text's beginning."""
    return round(text.max_tokens * text.head_fraction)


def head_and_tail(lengths: tf.Tensor, text: TextConfig) -> tf.RaggedTensor:
    """Which tokens the recurrent branch reads of rows of these lengths.

    All of them, up to `max_tokens`; of a longer row the beginning and the end, since
    in an opinion the verdict stands there more often than in the middle.

    Returns:
        Ragged bool `[N, (tokens)]`.
    """
    head = head_length(text)
    tail = text.max_tokens - head
    position = tf.ragged.range(lengths)
    tail_begins = tf.repeat(tf.cast(lengths, position.dtype) - tail, lengths)
    flat = position.flat_values
    return position.with_flat_values((flat < head) | (flat >= tail_begins))


def ngram_fingerprints(tokens: tf.RaggedTensor, width: int) -> tf.RaggedTensor:
    """63-bit hashes of the n-grams of `width` tokens, in order of position.

    Returns:
        Ragged int64 `[N, (max(0, tokens - width + 1))]`.
    """
    ngrams = tf.strings.ngrams(tokens, width, separator=" ")
    # The largest prime below 2**63, so that every bucket fits an int64.
    buckets = 2**63 - 25
    return ngrams.with_flat_values(
        tf.strings.to_hash_bucket_fast(ngrams.flat_values, buckets)
    )


def unique_in_rows(ids: tf.RaggedTensor) -> tf.RaggedTensor:
    """Each row without the repetitions of an id, in order of first appearance."""
    values, index = tf.unique(ids.flat_values, tf.int64)
    row = tf.cast(ids.value_rowids(), tf.int64)
    span = tf.maximum(tf.size(values, tf.int64), 1)
    # One key for row and id; `tf.unique` keeps the order, so rows stay together.
    keys = tf.unique(row * span + index).y
    return tf.RaggedTensor.from_value_rowids(
        tf.gather(values, keys % span), keys // span, nrows=ids.nrows()
    )


class Preprocessing(tf.Module):
    """The fitted preprocessing of a run: the same graph in training and in serving.

    Args:
        configuration: Sections `text` and `ngrams`, and which branches use those.
        assets: The folder with what `fit_preprocessing` wrote.
    """

    def __init__(self, configuration: SentimentConfig, assets: Path):
        super().__init__(name="preprocessing")
        self._text = configuration.text
        rules = assets / RULES_FILE
        self._version = read_json(rules)["version"] if rules.is_file() else 1
        self._ngram_features = configuration.model.ngram_features
        self._whole = configuration.wide.enabled or has_linear_members(assets)
        self.widths = range(1, configuration.ngrams.longest + 1)
        self._words = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                str(assets / "vocabulary.txt"),
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            default_value=UNKNOWN,
        )
        self._ngrams = None
        if (assets / "ngrams.txt").is_file():
            self._ngrams = tf.lookup.StaticHashTable(
                tf.lookup.TextFileInitializer(
                    str(assets / "ngrams.txt"),
                    tf.int64,
                    0,
                    tf.int64,
                    tf.lookup.TextFileIndex.LINE_NUMBER,
                ),
                default_value=-1,
            )

    def portable(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Settings and arrays of the same for `portable.PortableServing`.

        Raises:
            UserError: The rules by which texts become tokens are of a former version.
        """
        if self._version != VERSION:
            raise UserError(
                "--format: this run reads texts by rules of a former version, which "
                "the SavedModel alone has; train it anew, or export that"
            )
        words = self._words.export()
        order = np.argsort(words[1].numpy())
        settings = {
            "lowercase": self._text.lowercase,
            "vocabulary": [word.decode() for word in words[0].numpy()[order].tolist()],
            "head": head_length(self._text),
            "tail": self._text.max_tokens - head_length(self._text),
            "widths": [] if self._ngrams is None else list(self.widths),
            "ngram_features": self._ngram_features,
            "ngrams": self._whole,
        }
        if self._ngrams is None:
            return settings, {}
        fingerprints, lines = (each.numpy() for each in self._ngrams.export())
        order = np.argsort(fingerprints)
        ids = (lines[order] + 1).astype(np.int32)
        return settings, {"fingerprints": fingerprints[order], "ids": ids}

    def tokens(self, text: tf.Tensor) -> tf.RaggedTensor:
        """All tokens of each text: ragged string `[N, (tokens)]`."""
        return tokenize(text, self._text.lowercase, self._version)

    def read_by_recurrent(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """Which tokens the recurrent branch reads: ragged bool like `tokens`."""
        return head_and_tail(tokens.row_lengths(), self._text)

    def word_ids(self, tokens: tf.RaggedTensor) -> tf.RaggedTensor:
        """Ids of the tokens, `UNKNOWN` outside the vocabulary: ragged int32."""
        ids = self._words.lookup(tokens.flat_values)
        return tokens.with_flat_values(tf.cast(ids, tf.int32))

    def ngram_ids(self, tokens: tf.RaggedTensor, width: int) -> tf.RaggedTensor:
        """Ids of the n-grams at each position: ragged int32, `PADDING` if unknown."""
        fingerprints = ngram_fingerprints(tokens, width)
        assert self._ngrams is not None
        ids = self._ngrams.lookup(fingerprints.flat_values) + 1
        return fingerprints.with_flat_values(tf.cast(ids, tf.int32))

    def features(self, tokens: tf.RaggedTensor) -> dict[str, tf.RaggedTensor]:
        """What the model takes, not yet padded, with ids of n-grams for their ratios.

        Args:
            tokens: As `tokens` gives them.

        Returns:
            `tokens`, ragged int32 `[N, (at most max_tokens)]`; with n-gram
            features `ngram_features`, ragged int32 `[N, (same), widths]`, the ids of
            the n-grams that begin at these tokens; with members of n-grams `ngrams`,
            ragged int32 `[N, (known n-grams of any width)]`, without repetitions.
        """
        read = self.read_by_recurrent(tokens)
        kept = tf.ragged.boolean_mask(tokens, read)
        features = {"tokens": self.word_ids(kept)}
        if self._ngrams is None:
            return features
        by_width = [self.ngram_ids(tokens, width) for width in self.widths]
        if self._ngram_features:
            at_tokens = tf.stack([_at_tokens(ids, tokens) for ids in by_width], axis=-1)
            features["ngram_features"] = kept.with_flat_values(
                tf.boolean_mask(at_tokens, read.flat_values)
            )
        if self._whole:
            ids = tf.concat(by_width, 1)
            known = tf.ragged.boolean_mask(ids, tf.not_equal(ids, PADDING))
            features["ngrams"] = unique_in_rows(known)
        return features


def load_ratios(assets: Path) -> np.ndarray | None:
    """The n-grams' ratios that are features of tokens; None without n-grams.

    Of two classes they are those of the second alone, since the first's are their
    negatives.

    Returns:
        float32 `[1 + folds, 1 + n-grams, E]`, at 0 those of all training texts.
    """
    path = assets / "ngram_ratios.npy"
    if not path.is_file():
        return None
    ratios = np.load(path)
    return ratios[..., 1:] if ratios.shape[-1] == 2 else ratios


def with_ratios(features: dict[str, tf.Tensor], ratios: tf.Tensor) -> dict:
    """The features with ratios instead of the ids under `ngram_features`.

    Args:
        features: Padded; `ngram_features`, if there, int32 `[N, L, widths]`.
        ratios: float32 `[1 + n-grams, E]`, row 0 zero.

    Returns:
        The same with `ngram_features` float32 `[N, L, widths * E]`.
    """
    if "ngram_features" not in features:
        return features
    found = tf.gather(ratios, features["ngram_features"])
    shape = tf.shape(found)
    width = found.shape[2] * found.shape[3]
    flat = tf.reshape(found, tf.concat([shape[:2], [width]], 0))
    return features | {"ngram_features": flat}


def ngram_begins(ids: tf.RaggedTensor, tokens: tf.RaggedTensor) -> tf.Tensor:
    """Where n-grams of one width stand in the flat values of `tokens`.

    Returns:
        int64, for the flat values of `ids` the indices of their first tokens.
    """
    begin = tf.gather(tokens.row_starts(), ids.value_rowids())
    return begin + tf.ragged.range(ids.row_lengths()).flat_values


def _at_tokens(ids: tf.RaggedTensor, tokens: tf.RaggedTensor) -> tf.Tensor:
    """For the flat values of `tokens` the id of the n-gram that begins there."""
    begin = ngram_begins(ids, tokens)
    return tf.scatter_nd(
        begin[:, tf.newaxis], ids.flat_values, tf.shape(tokens.flat_values, tf.int64)
    )
