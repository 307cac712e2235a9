"""Speed of translation: training, greedy and beam search, in batches and one by one.

The model has the size that Joey NMT's small examples have: a bidirectional GRU of 256
units, a GRU decoder of 256 with additive attention of 256, embeddings of 256, and a
joint vocabulary of 8,000 pieces. It is trained for some epochs, in batches of up to 64
pairs, as `recurra train` trains, and then translates the test set from raw strings, so
that translations have their true lengths. Prints the target pieces per second of each
epoch (the end of a sentence counts, padding does not), the padded fraction, and for
each search the sentences per second, the median of some rounds, with its BLEU.

    python benchmarks/translation_speed.py --data multi30k
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import keras

from recurra.pipelines.core.configuration import make_configuration
from recurra.pipelines.core.runs import Run
from recurra.pipelines.sequence_to_sequence.batches import PairDataModule, encode_pairs
from recurra.pipelines.sequence_to_sequence.generator import Generator
from recurra.pipelines.sequence_to_sequence.model import SequenceToSequenceModel
from recurra.pipelines.sequence_to_sequence.subwords import Subwords
from recurra.pipelines.translation.config import TranslationConfig
from recurra.pipelines.translation.metrics import TranslationMeasures
from recurra.pipelines.translation.task import TranslationTask

# Pieces of a source beyond which it would be split; no test sentence is.
LONGEST = 200


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="sample", help="as for recurra train")
    parser.add_argument("--source", default="en")
    parser.add_argument("--target", default="de")
    parser.add_argument("--vocabulary-size", type=int, default=8_000)
    parser.add_argument("--epochs", type=int, default=5, help="of training, at least 2")
    parser.add_argument("--rounds", type=int, default=3, help="of each search")
    arguments = parser.parse_args()

    configuration = make_configuration(
        TranslationConfig,
        [
            (
                "command line",
                {
                    "data": {
                        "spec": arguments.data,
                        "source": arguments.source,
                        "target": arguments.target,
                    },
                    "subwords": {"vocabulary_size": arguments.vocabulary_size},
                    "model": {
                        "cell": "gru",
                        "embedding_size": 256,
                        "encoder_units": 256,
                        "decoder_units": 256,
                        "attention": "additive",
                        "attention_units": 256,
                    },
                    "training": {"batch_size": 64, "learning_rate": 0.001},
                },
            )
        ],
    )
    keras.utils.set_random_seed(0)
    data = TranslationTask.load(configuration)
    with tempfile.TemporaryDirectory() as folder:
        run = Run.create(Path(folder) / "run", "translation", configuration, [])
        task = TranslationTask(configuration, run)
        task.fit_preprocessing(data)
        subwords = Subwords(run.assets)
        pieces = encode_pairs(data.splits["train"], subwords).lengths[:, 1].sum()
        model = trained(task, task.data_module(data), int(pieces), arguments.epochs)
    test = data.splits[data.test_sets[0]]
    sources, references = test.source.tolist(), test.target.tolist()
    print(f"\n{len(test):,} sentences               sentences/s   of rounds     BLEU")
    for beams, together in ((1, 128), (5, 128), (1, 64), (5, 64), (1, 1), (5, 1)):
        decoding = configuration.decoding.model_copy(
            update={"beam_size": beams, "decode_batch_size": together}
        )
        generator = Generator([model], subwords, decoding, LONGEST, arguments.target)
        generator.generate(sources[:together])
        rates = []
        for _ in range(arguments.rounds):
            begun = time.perf_counter()
            translations, _ = generator.generate(sources)
            rates.append(len(sources) / (time.perf_counter() - begun))
        measures = TranslationMeasures(arguments.target)
        bleu = measures.score("bleu", translations, [references])
        print(
            f"{'greedy' if beams == 1 else f'beam of {beams}':9}, batches of "
            f"{together:3}: {statistics.median(rates):10.1f}   "
            f"{min(rates):.1f} to {max(rates):.1f}   {bleu:.1f}",
            flush=True,
        )


def trained(
    task: TranslationTask, data_module: PairDataModule, pieces: int, epochs: int
) -> SequenceToSequenceModel:
    """The model after epochs of so many target pieces, whose rates it prints."""
    model = task.build()
    task.compile(model, int(data_module.training_batches(0).cardinality()))
    padded = data_module.training.padded_fraction()
    print(f"{pieces:,} target pieces in an epoch, padded fraction {padded:.1%}")
    rates = []
    for epoch in range(epochs):
        batches = data_module.training_batches(epoch)
        begun = time.perf_counter()
        loss = model.fit(batches, shuffle=False, verbose=0).history["loss"][0]
        rates.append(pieces / (time.perf_counter() - begun))
        print(
            f"epoch {epoch + 1}/{epochs}: {rates[-1]:,.0f} target pieces/s, "
            f"loss {loss:.3f}",
            flush=True,
        )
    # The first epoch traces.
    print(f"median without the first: {statistics.median(rates[1:]):,.0f}")
    return model


if __name__ == "__main__":
    main()
