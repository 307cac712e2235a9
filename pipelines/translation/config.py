"""The configuration of translation, with every default."""

from typing import Literal

import pydantic
from pydantic import Field

from ..configuration import Section
from ..datasets.pair_rules import PairRulesSection
from ..recurrent_section import RecurrentSection
from ..task import DataSection, TaskSection
from ..training import TrainingSection


class TranslationDataSection(DataSection):
    """Sentence pairs of two languages."""

    spec: str = Field(
        "sample", min_length=1, description="sample, tfds:NAME, or a file or folder"
    )
    source: str = Field(
        "en", min_length=1, description="language: ending of files, name of a column"
    )
    target: str = Field("de", min_length=1, description="the same to translate to")
    rules: PairRulesSection = PairRulesSection()
    validation_share: float = Field(
        0.05, gt=0, lt=1, description="of the training pairs, where there is no split"
    )
    test_share: float = Field(
        0.05, ge=0, lt=1, description="of the same pairs, where there is no test set"
    )
    max_carved: int = Field(
        3_000, ge=1, description="pairs of a split that is made by a share, at most"
    )
    split_seed: int = Field(
        0,
        ge=0,
        description="that draws such splits; apart from seed, so that runs of several "
        "seeds have the same ones and can be joined",
    )
    test_data: str | None = Field(None, description="spec of separate test sets")
    max_bad_share: float = Field(
        0.01, ge=0, le=1, description="of unreadable rows, over which a run stops"
    )


class SubwordsSection(Section):
    """How a sentence becomes pieces, and a translation comes of them."""

    joint: bool = Field(
        True, description="one vocabulary for both languages; else one of each"
    )
    algorithm: Literal["unigram", "bpe"] = "unigram"
    vocabulary_size: int = Field(
        8_000,
        ge=300,
        description="pieces of a vocabulary, 260 for bytes and signals included",
    )
    character_coverage: float = Field(
        1.0,
        gt=0.9,
        le=1,
        description="share of all characters that are pieces; the rarer ones are bytes",
    )
    vocabulary_threshold: int = Field(
        1,
        ge=0,
        description="a language uses the pieces that stand so often in its training "
        "sentences, and its characters; 0 for the pieces of both",
    )
    max_training_sentences: int = Field(
        1_000_000, ge=1, description="that a vocabulary is learned from"
    )
    sampling_alpha: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="training cuts words into other pieces in each epoch: the "
        "exponent of their probabilities (unigram, lower is wilder), or the share of "
        "merges left out (bpe, higher is wilder); null for always the best pieces",
    )


class ModelSection(RecurrentSection):
    """A recurrent encoder and a recurrent decoder that attends to it."""

    embedding_size: int = Field(256, ge=1)
    tied_embeddings: bool = Field(
        True,
        description="the output reads the target's embeddings, and with a joint "
        "vocabulary the source's are the same",
    )
    cell: Literal["gru", "lstm"] = "gru"
    encoder_units: int = Field(256, ge=1, description="in each direction")
    encoder_depth: int = Field(1, ge=1, le=8, description="bidirectional layers")
    decoder_units: int = Field(256, ge=1)
    decoder_depth: int = Field(
        1, ge=1, le=8, description="layers, of which the lowest attends"
    )
    residual: bool = Field(
        True, description="layers above the lowest add what they read"
    )
    attention: Literal["additive", "dot", "general"] = "additive"
    attention_units: int = Field(256, ge=1, description="of additive attention")
    layer_norm: bool = Field(False, description="in the recurrent layers")
    word_dropout: float = Field(0.0, ge=0, lt=1, description="of the types of pieces")
    input_dropout: float = Field(
        0.2, ge=0, lt=1, description="variational, of what recurrent layers read"
    )
    state_dropout: float = Field(0.0, ge=0, lt=1, description="variational")
    encoder_dropout: float = Field(
        0.0, ge=0, lt=1, description="of what the encoder gives attention to read"
    )
    output_dropout: float = Field(
        0.2, ge=0, lt=1, description="variational, before the output's projection"
    )

    @pydantic.model_validator(mode="after")
    def _dot_attention_needs_equal_sizes(self) -> "ModelSection":
        if self.attention == "dot" and self.decoder_units != 2 * self.encoder_units:
            raise ValueError(
                "attention: dot needs decoder_units of twice encoder_units; "
                "general does not"
            )
        return self


class DecodingSection(Section):
    """How translations are searched for; an exported model has it built in."""

    beam_size: int = Field(5, ge=1, description="hypotheses kept; 1 is greedy")
    length_penalty: float = Field(
        1.0, ge=0, description="alpha of Wu et al. 2016; 0 does not normalise"
    )
    coverage_penalty: float = Field(
        0.0, ge=0, description="beta of Wu et al. 2016; 0 for none"
    )
    longest_share: float = Field(
        2.0, gt=0, description="a translation's pieces at most, per piece of the source"
    )
    longest_extra: int = Field(10, ge=1, description="pieces allowed on top of that")
    no_repeat_ngram: int = Field(
        0, ge=0, description="n-grams of pieces that may stand once; 0 for any"
    )
    sentences_together: int = Field(
        128, ge=1, description="that the graph decodes in one batch, fewer if long"
    )


class TranslationTrainingSection(TrainingSection):
    """How a translation model is trained."""

    batch_tokens: int = Field(
        4_096,
        ge=1,
        description="positions of a batch's longer side, padding included; "
        "batch_size limits its pairs",
    )
    label_smoothing: float = Field(
        0.1, ge=0, lt=1, description="of probability spread over all pieces"
    )
    bleu_sentences: int = Field(
        1_000,
        ge=1,
        description="of validation, translated greedily after each epoch for its BLEU",
    )


class TranslationConfiguration(TaskSection):
    """Everything that a translation run depends on."""

    seed: int = Field(
        0, ge=0, description="of weights and noise; data.split_seed draws splits"
    )
    data: TranslationDataSection = TranslationDataSection()
    subwords: SubwordsSection = SubwordsSection()
    model: ModelSection = ModelSection()
    decoding: DecodingSection = DecodingSection()
    training: TranslationTrainingSection = TranslationTrainingSection(
        epochs=30, patience=5, averaged_epochs=3
    )
