"""Subwords: fitted by sentencepiece, applied in the graph by tensorflow-text.

A character that no piece has becomes its UTF-8 bytes, so nothing is unknown. Of
vocabularies of whole characters or words, which are small and have no bytes, what
training does not have is `UNKNOWN`, which no output holds and no loss counts.
Every vocabulary begins with the same four special tokens.

With a joint vocabulary both languages have the same ids, and a language uses those
that its training sentences hold (Sennrich et al., "The University of Edinburgh's
Neural MT Systems for WMT17", 2017). What the target uses has the first ids, so that a
model's output has a row for nothing else.
"""

import copy
import io
import itertools
import logging
import random
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import tensorflow as tf
import tensorflow_text
from sentencepiece import sentencepiece_model_pb2

from ..core.errors import UserError
from ..core.files import written_whole
from ..core.shared_tokenizer import shared_tokenizer
from ..data.texts.sentence_pairs import PairSplit
from ..data.texts.stored_texts import Texts
from ..data.texts.text_description import quantiles
from ..data.texts.words import INVISIBLE, SPACES, count_words
from .config import Algorithm, SubwordsConfig
from .special_tokens import BOS, EOS, PADDING, UNKNOWN
from .subword_sampling import SPACE, PieceSampler

_SPACES = f"[{SPACES}]+"
_INVISIBLE = f"[{INVISIBLE}]"
# A rule for sentencepiece that changes nothing, since `normalise` comes before: with no
# rule at all every process that loads the model prints a warning of that.
_NO_NORMALISATION = "FEFF\t\n"

# As sentencepiece calls them.
_MODEL_TYPES = {
    "unigram": "unigram",
    "bpe": "bpe",
    "characters": "char",
    "words": "word",
}

_COUNTED_TOGETHER = 10_000
# In bytes; the largest that sentencepiece takes, which would skip longer ones.
_LONGEST_SENTENCE = 2**30
# Sentences that tell as much of the pieces as millions would.
_MEASURED_SENTENCES = 20_000

logger = logging.getLogger("recurra")


def fit_subwords(
    config: SubwordsConfig,
    source: Texts,
    target: Texts,
    assets: Path,
    seed: int,
) -> None:
    """Fits the vocabularies to the training pairs and writes them to assets.

    Where the sentences have fewer pieces than the config asks for, the vocabulary is
    smaller, and a line of the log says so. The same sentences and seed give the same
    files, `source.model` and `target.model`.

    Args:
        config: Kind and size of the vocabularies.
        source: Of the pairs.
        target: Of the same pairs.
        assets: The folder to write to.
        seed: Of the draw of sentences, where there are too many.

    Raises:
        UserError: If the vocabulary is too small for the characters of the sentences.
    """
    sides = {"target": target, "source": source}
    groups = [["target", "source"]] if config.joint else [["target"], ["source"]]
    fitted: dict[str, bytes] = {}
    for group in groups:
        most = max(1, config.max_training_sentences // len(group))
        sentences = {side: _drawn(sides[side], most, seed) for side in group}
        fitted |= _fit(config, sentences)
    for side, model in fitted.items():
        with written_whole(assets / f"{side}.model") as partial:
            partial.write_bytes(model)


def _fit(config: SubwordsConfig, sentences: dict[str, list[str]]) -> dict[str, bytes]:
    """One vocabulary, a model for each side; what the first uses has the first ids."""
    name = " and ".join(sentences)
    algorithm = config.algorithm_of(next(iter(sentences)))
    texts = list(itertools.chain.from_iterable(sentences.values()))
    try:
        model = _train(config, algorithm, texts)
    except RuntimeError as error:
        if "required_chars" not in str(error):
            raise
        raise UserError(
            f"subwords.vocabulary_size: {config.vocabulary_size:,} is less than the "
            f"different characters of {name}, with 260 for bytes and special tokens; "
            "raise it, or lower subwords.character_coverage"
        ) from None
    size = len(model.pieces)
    if _has_bytes(model) and size < config.vocabulary_size:
        logger.info(
            "The sentences have pieces for a vocabulary of %s, not of %s (%s)",
            f"{size:,}",
            f"{config.vocabulary_size:,}",
            name,
        )
    used = {
        side: _used(model, texts, config.vocabulary_threshold)
        for side, texts in sentences.items()
    }
    # Special tokens and bytes are used by all and stay in front.
    order = np.lexsort([~uses for uses in reversed(used.values())])
    return {side: _model_with(model, order, uses) for side, uses in used.items()}


def _model_with(model: Any, order: np.ndarray, uses: np.ndarray) -> bytes:
    """The model with its pieces in this order, of which some are used."""
    copied = copy.deepcopy(model)
    copied.ClearField("pieces")
    for row in order:
        piece = copied.pieces.add()
        piece.CopyFrom(model.pieces[row])
        if not uses[row]:
            piece.type = piece.UNUSED
            if len(piece.piece) == 1 or not _has_bytes(model):
                # By its text, all but unigram models would find it all the same.
                piece.piece = f"<unused {row}>"
    return copied.SerializeToString(deterministic=True)


def _used(model: Any, sentences: list[str], threshold: int) -> np.ndarray:
    """Which pieces a language uses: bool `[pieces]`.

    Beside the pieces that stand so often in its sentences these are its characters,
    without which other words could not be written.
    """
    processor = sentencepiece.SentencePieceProcessor(
        model_proto=model.SerializeToString()
    )
    counts = np.zeros(len(model.pieces), int)
    for first in range(0, len(sentences), _COUNTED_TOGETHER):
        batch = sentences[first : first + _COUNTED_TOGETHER]
        ids = itertools.chain.from_iterable(processor.encode(batch))
        counts += np.bincount(np.fromiter(ids, int), minlength=len(counts))
    characters = {SPACE}.union(*sentences)
    return np.array(
        [
            piece.type != piece.NORMAL
            or piece.piece in characters
            or counts[row] >= threshold
            for row, piece in enumerate(model.pieces)
        ]
    )


def _has_bytes(model: Any) -> bool:
    """Whether a character without a piece becomes bytes, and nothing is unknown."""
    return bool(model.trainer_spec.byte_fallback)


def _train(config: SubwordsConfig, algorithm: Algorithm, sentences: list[str]) -> Any:
    """What sentencepiece fits, as its message `ModelProto`."""
    written = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        rules.write(_NO_NORMALISATION)
        rules.flush()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=written,
            model_type=_MODEL_TYPES[algorithm],
            vocab_size=config.vocabulary_size,
            # Fewer pieces where there are not so many.
            hard_vocab_limit=False,
            character_coverage=config.character_coverage,
            byte_fallback=algorithm in ("unigram", "bpe"),
            # Of characters the space before a text would say nothing.
            add_dummy_prefix=algorithm != "characters",
            split_digits=True,
            normalization_rule_tsv=rules.name,
            max_sentence_length=_LONGEST_SENTENCE,
            pad_id=PADDING,
            unk_id=UNKNOWN,
            bos_id=BOS,
            eos_id=EOS,
            # Sums in another order give other pieces.
            num_threads=1,
            minloglevel=2,
        )
    model = _model_proto(written.getvalue())
    # The name of a temporary file, which would differ from run to run.
    model.normalizer_spec.ClearField("normalization_rule_tsv")
    return model


def _model_proto(model: bytes) -> Any:
    """A model as sentencepiece's message, whose module its documentation does not name.

    Tested on sentencepiece 0.2.3.
    """
    module: Any = sentencepiece_model_pb2
    return module.ModelProto.FromString(model)


def _drawn(texts: Texts, most: int, seed: int) -> list[str]:
    """At most so many sentences, without empty ones."""
    rows = np.random.default_rng(seed).permutation(len(texts))[:most]
    return [text for text in texts[np.sort(rows)] if text]


class Subwords(tf.Module):
    """The vocabularies of a run, for the source and for the target.

    Args:
        assets: The folder with what `fit_subwords` wrote.
        longest_source: Pieces of a source, of which the rest is not read.

    Attributes:
        source: Of the source language.
        target: Of the target language; of a joint vocabulary with the same ids.
    """

    def __init__(self, assets: Path, longest_source: int | None = None):
        super().__init__(name="subwords")
        self.source = Pieces(assets / "source.model", longest_source)
        self.target = Pieces(assets / "target.model")


class Pieces(tf.Module):
    """The pieces of one language.

    Args:
        path: A model of sentencepiece; the graph holds a copy of it.
        longest: Pieces of a text, of which the rest is left out; all if None.

    Attributes:
        model: Of sentencepiece.
        vocabulary_size: Above all ids that a text is encoded to.
        longest: Pieces of a text, of which the rest is left out; all if None.
    """

    def __init__(self, path: Path, longest: int | None = None):
        super().__init__(name=path.stem)
        self.longest = longest
        model = path.read_bytes()
        self.model = model
        self._tokenizer = shared_tokenizer(model)
        pieces = _model_proto(model).pieces
        used = [row for row, piece in enumerate(pieces) if piece.type != piece.UNUSED]
        self.vocabulary_size = used[-1] + 1

    def encode(self, text: tf.Tensor) -> tf.RaggedTensor:
        """Ids of the pieces of each text, without special tokens.

        Args:
            text: string `[N]`, any bytes.

        Returns:
            Ragged int32 `[N, (pieces)]`; a text without a character has none.
        """
        return self._tokenizer.tokenize(normalise(text))[:, : self.longest]

    def sample(
        self, parts: Iterable[list[str]], alpha: float, seed: int
    ) -> Iterator[tf.RaggedTensor]:
        """Ids of pieces drawn for each text: the same ones for the same seed.

        Args:
            parts: Texts, some together. They are normalised, as data sets of this
                project are.
            alpha: Of `PieceSampler`.
            seed: Of the draw.

        Yields:
            Of each part ragged int32 `[N, (pieces)]`.
        """
        sampler = PieceSampler(_model_proto(self.model), alpha)
        generator = random.Random(seed)
        for texts in parts:
            ids = [row[: self.longest] for row in sampler.sample(texts, generator)]
            yield tf.RaggedTensor.from_row_lengths(
                np.fromiter(itertools.chain.from_iterable(ids), np.int32),
                np.array([len(row) for row in ids], np.int64),
            )

    def decode(self, ids: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        """The texts of ids: up to the first `EOS`, without special tokens.

        Bytes that are no UTF-8 become the replacement character.

        Args:
            ids: int32 `[N, T]`, or ragged.

        Returns:
            string `[N]`.
        """
        if isinstance(ids, tf.RaggedTensor):
            ids = ids.to_tensor(PADDING)
        ended = tf.cumsum(tf.cast(tf.equal(ids, EOS), tf.int32), axis=1)
        said = tf.equal(ended, 0) & (ids > EOS)
        text = self._tokenizer.detokenize(tf.ragged.boolean_mask(ids, said))
        return normalise(text)

    def pieces(self, ids: tf.Tensor) -> tf.Tensor:
        """The pieces that ids stand for, `▁` for the space before a word.

        Args:
            ids: int32 of any shape.

        Returns:
            string of the same shape.
        """
        return self._tokenizer.id_to_string(ids)


def describe_subwords(
    subwords: Subwords, split: PairSplit
) -> dict[str, dict[str, object]]:
    """For each side, into what pieces the sentences of a split fall.

    Of a large split these are the first sentences.

    Returns:
        Under "source" and "target": `vocabulary`, its size; `pieces`, quantiles over
        the sentences; `pieces_per_word`; `spelt_fraction`, of the pieces those that are
        one byte of a character which the vocabulary does not have; and
        `unknown_fraction`, those that are unknown.
    """
    return {
        "source": _describe_pieces(subwords.source, split.source),
        "target": _describe_pieces(subwords.target, split.target),
    }


def _describe_pieces(pieces: Pieces, texts: Texts) -> dict[str, object]:
    texts = texts[:_MEASURED_SENTENCES]
    ids = pieces.encode(texts.tolist())
    names = pieces.pieces(np.arange(pieces.vocabulary_size, dtype=np.int32)).numpy()
    is_byte = np.array([name.startswith(b"<0x") for name in names])
    flat = ids.flat_values.numpy()
    words = sum(map(count_words, texts))
    return {
        "vocabulary": pieces.vocabulary_size,
        "pieces": quantiles(ids.row_lengths().numpy().tolist()),
        "pieces_per_word": len(flat) / max(words, 1),
        "spelt_fraction": float(is_byte[flat].mean()) if len(flat) else 0.0,
        "unknown_fraction": float((flat == UNKNOWN).mean()) if len(flat) else 0.0,
    }


def normalise(text: tf.Tensor) -> tf.Tensor:
    """Texts in NFC, with single spaces and none around them: string like `text`.

    Does in the graph what `data.texts.normalised_text` does; bytes that are no UTF-8
    become the replacement character.
    """
    text = tf.strings.unicode_transcode(
        text, "UTF-8", "UTF-8", errors="replace", replace_control_characters=False
    )
    text = tf.strings.regex_replace(text, _INVISIBLE, "")
    text = tf.strings.regex_replace(text, _SPACES, " ")
    return tf.strings.strip(tensorflow_text.normalize_utf8(text, "NFC"))
