"""The language task passes the test that every task passes."""

import pandas

from recurra.pipelines.testing import check_task


def test_the_contract(tmp_path):
    check_task(
        "language",
        data="sample:30",
        folder=tmp_path,
        settings=[
            *("units.kind=words", "model.embedding_size=8"),
            *("model.units=12", "model.depth=1", "model.directions=both"),
            *("model.word_dropout=0.1", "model.zoneout_hidden=0.1"),
            *("model.output_dropout=0.1", "model.activation_penalty=1"),
            "model.temporal_activation_penalty=1",
            *("training.epochs=2", "training.batch_size=4", "training.cut_jitter=3"),
            *("counts.order=3", "counts.cache_size=20", "writing.length=6"),
            "training.ranked_blanks=20",
        ],
    )
    # States are carried over batches, and into the batches after a kill, and so is what
    # the metrics of the epoch have summed.
    expected, found = (
        pandas.read_csv(tmp_path / run / "history.csv").drop(columns="seconds")
        for run in ("run", "killed")
    )
    pandas.testing.assert_frame_equal(found, expected, check_exact=True)
    # The network is a member of the model: beside it stands what does without.
    assert "; Kneser-Ney alone has perplexity" in (
        (tmp_path / "run" / "report.html").read_text()
    )
