"""The language task passes the test that every task passes."""

from recurra.pipelines.testing import check_task


def test_the_contract(tmp_path):
    check_task(
        "language",
        data="sample:30",
        folder=tmp_path,
        settings=[
            *("units.kind=words", "model.embedding_size=8"),
            *("model.units=12", "model.depth=1"),
            *("model.word_dropout=0.1", "model.zoneout_hidden=0.1"),
            *("model.output_dropout=0.1", "model.activation_penalty=1"),
            "model.temporal_activation_penalty=1",
            *("training.epochs=2", "training.batch_size=4", "training.cut_jitter=3"),
            *("counts.order=3", "counts.cache_size=20", "writing.length=6"),
        ],
    )
