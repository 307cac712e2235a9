"""What zoneout and dropout buy in translation: four models on the same budget.

Trains the model of the recipe multi30k_en_de for some epochs without noise, with the
dropout of the recipe (of words, variational of what recurrent layers read and of the
output, and of what attention reads), with zoneout, and with both. The best epoch is
chosen by BLEU on validation; the test set is read once, at the end. The rate of zoneout
was not tuned.

Each model is a run directory, as of `recurra train`. What is stopped goes on where it
stood when the command is given again.

    python benchmarks/translation_regularisers.py --data multi30k --runs runs/noise
"""

import argparse
from pathlib import Path
from typing import Any

import pandas

from recurra.pipelines import train
from recurra.pipelines.core.progress import TrainingProgress
from recurra.pipelines.core.runs import Run

NO_DROPOUT = {
    "word_dropout": 0.0,
    "input_dropout": 0.0,
    "encoder_dropout": 0.0,
    "output_dropout": 0.0,
}
ZONEOUT = {"zoneout_hidden": 0.1}
MODELS = {
    "no noise": NO_DROPOUT,
    "dropout": {},
    "zoneout": NO_DROPOUT | ZONEOUT,
    "dropout and zoneout": ZONEOUT,
}


def main() -> None:
    """Trains one model after the other and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of Multi30k")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=MODELS, default=list(MODELS))
    arguments = parser.parse_args()

    runs = {}
    for name in arguments.only:
        print(f"\n{name}", flush=True)
        path = arguments.runs / name.replace(" ", "-")
        runs[name] = trained(
            path, MODELS[name], arguments.data, arguments.epochs, arguments.seed
        )
    print(f"\n{'':20} epoch    nll  val nll  val BLEU  test BLEU  minutes")
    for name, run in runs.items():
        rows = pandas.read_csv(run.history_file)
        best = rows.loc[rows["val_bleu"].idxmax()]
        print(
            f"{name:20} {best['epoch']:5.0f} {best['nll']:6.3f} {best['val_nll']:8.3f}"
            f" {best['val_bleu']:9.2f} {run.metrics['model']['bleu']:10.2f}"
            f" {rows['seconds'].sum() / 60:8.1f}"
        )


def trained(
    path: Path, noise: dict[str, Any], data: str, epochs: int, seed: int
) -> Run:
    """The finished run of the model with this noise."""
    progress = TrainingProgress()
    try:
        return train(
            "translation",
            data,
            run=path,
            recipe="multi30k_en_de",
            settings={
                "seed": seed,
                "model": noise,
                "training": {
                    "epochs": epochs,
                    "patience": epochs,
                    "averaged_epochs": 1,
                },
            },
            resume=path.exists(),
            progress=progress,
        )
    finally:
        progress.close()


if __name__ == "__main__":
    main()
