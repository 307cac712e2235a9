"""What several files test with: the sample, and vocabularies of it."""

import numpy as np
import pytest

# The number of the model that copies.
COPIES = 2


@pytest.fixture(scope="session")
def english_german():
    """The training sentences of a small sample, by language."""
    from recurra.pipelines.samples.english_german.pairs import sample_pairs

    return sample_pairs(300).splits["train"]


@pytest.fixture(scope="session")
def fit(tmp_path_factory, english_german):
    """A function of options: the folder of vocabularies of these sentences.

    The same options give the same folder, which is not to be changed.
    """
    pytest.importorskip("tensorflow_text")
    from recurra.pipelines.sequence_to_sequence.config import SubwordsConfig
    from recurra.pipelines.sequence_to_sequence.subwords import fit_subwords

    folders = {}

    def fitted(**options):
        key = tuple(sorted(options.items()))
        if key not in folders:
            folders[key] = tmp_path_factory.mktemp("assets")
            sides = (np.array(texts, object) for texts in english_german)
            config = SubwordsConfig(**{"vocabulary_size": 500, **options})
            fit_subwords(config, *sides, folders[key], seed=0)
        return folders[key]

    return fitted


@pytest.fixture(scope="session")
def subwords(fit):
    """A joint vocabulary of 400 pieces."""
    from recurra.pipelines.sequence_to_sequence.subwords import Subwords

    return Subwords(fit(vocabulary_size=400))


@pytest.fixture(scope="session")
def models(subwords):
    """Untrained, but with weights large enough that translations differ.

    The third one copies from the source.
    """
    import tensorflow as tf

    from recurra.pipelines.sequence_to_sequence.config import ModelConfig
    from recurra.pipelines.sequence_to_sequence.model import SequenceToSequenceModel

    sizes = subwords.source.vocabulary_size, subwords.target.vocabulary_size
    made = []
    for seed in range(3):
        section = ModelConfig(
            embedding_size=8, encoder_units=6, decoder_units=9, attention_units=5,
            copy_source=seed == COPIES,
        )  # fmt: skip
        model = SequenceToSequenceModel(section, *sizes, joint=True, seed=seed)
        model.build()
        generator = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape) * 0.7)
        # So that sentences end.
        model.output_bias.assign(tf.one_hot(3, sizes[1]) * 3.0)
        made.append(model)
    return made
