"""Translation passes the test that every task passes."""

import pytest

pytest.importorskip("tensorflow_text")

from recurra.pipelines.testing import check_task  # noqa: E402


def test_the_contract(tmp_path):
    check_task(
        "translation",
        data="sample:180",
        folder=tmp_path,
        settings=[
            *("subwords.vocabulary_size=400", "model.embedding_size=16"),
            *("model.encoder_units=8", "model.decoder_units=16"),
            *("model.attention_units=8", "training.epochs=2"),
            *("training.batch_tokens=512", "training.batch_size=32"),
            *("decoding.beam_size=2", "decoding.max_length_ratio=1.0"),
            *("model.word_dropout=0.1", "model.zoneout_hidden=0.1"),
            *("subwords.sampling_alpha=0.5", "model.copy_source=true"),
        ],
    )
