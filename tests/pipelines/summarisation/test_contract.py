"""Summarisation passes the test that every task passes."""

import pytest

pytest.importorskip("tensorflow_text")

from recurra.pipelines.testing import check_task  # noqa: E402


def test_the_contract(tmp_path):
    check_task(
        "summarisation",
        data="sample:100",
        folder=tmp_path,
        settings=[
            *("subwords.vocabulary_size=400", "subwords.max_source_pieces=40"),
            *("model.embedding_size=16", "model.encoder_units=8"),
            *("model.decoder_units=16", "model.attention_units=8"),
            *("training.epochs=2", "training.batch_size=32"),
            *("decoding.beam_size=2", "decoding.longest_extra=5"),
        ],
    )
