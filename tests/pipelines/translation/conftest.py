"""A vocabulary of the sample that several files test with."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def subwords(tmp_path_factory):
    pytest.importorskip("tensorflow_text")
    from recurra.pipelines.datasets.translation_sample import sample_pairs
    from recurra.pipelines.translation.config import SubwordsSection
    from recurra.pipelines.translation.subwords import Subwords, learn_subwords

    assets = tmp_path_factory.mktemp("assets")
    sides = (np.array(texts, object) for texts in sample_pairs(300).splits["train"])
    learn_subwords(SubwordsSection(vocabulary_size=400), *sides, assets, seed=0)
    return Subwords(assets)
