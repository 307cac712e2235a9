"""SavedModels with the signatures and cards of each kind of answer, as small as can be.

Nothing here imports the server.
"""

import json

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

_TEXT = tf.TensorSpec([None], tf.string, "text")

CLASSES = ["bad", "good"]
THRESHOLDS = [0.5, 0.7, 0.5]
VARIABLES = [
    {"column": "T (degC)", "name": "T", "unit": "degC"},
    {"column": "rain (mm)", "name": "rain", "unit": "mm"},
]
HISTORY, LEADS, STEP = 6, [1, 2, 3], 3600
START = "2020-06-30T12:00:00"


class Labels(tf.Module):
    """Good as far as the words `good` go."""

    @tf.function(input_signature=[_TEXT])
    def classify(self, text):
        good = tf.where(tf.strings.regex_full_match(text, ".*good.*"), 0.75, 0.125)
        return {
            "label": tf.where(good > 0.5, "good", "bad"),
            "score": tf.maximum(good, 1.0 - good),
            "probabilities": tf.stack([1.0 - good, good], 1),
        }

    @tf.function(input_signature=[_TEXT])
    def explain(self, text):
        tokens = tf.strings.split(text).to_tensor("")
        return {
            "tokens": tokens,
            "attributions": tf.where(tokens == "good", 1.0, -0.25),
        }


class LabelSets(tf.Module):
    """Good and bad as far as these words go, and the third never."""

    @tf.function(input_signature=[_TEXT])
    def classify(self, text):
        is_there = [tf.strings.regex_full_match(text, f".*{n}.*") for n in CLASSES]
        has = tf.where(tf.stack(is_there, 1), 0.75, 0.25)
        probabilities = tf.pad(has, [[0, 0], [0, 1]], constant_values=0.0001)
        chosen = probabilities >= tf.constant(THRESHOLDS)
        names = tf.broadcast_to([*CLASSES, "never"], tf.shape(chosen))
        return {
            "labels": tf.ragged.boolean_mask(names, chosen).to_tensor(""),
            "chosen": chosen,
            "probabilities": probabilities,
        }

    @tf.function(input_signature=[_TEXT])
    def explain(self, text):
        explained = Labels.explain.python_function(self, text)
        return {**explained, "label": tf.fill(tf.shape(text), "good")}


class Forecast(tf.Module):
    """The last value of T and of the hours to come; a band of one around it."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, HISTORY, len(VARIABLES)], tf.float32, "history"),
            tf.TensorSpec([None], tf.string, "start"),
        ]
    )
    def forecast(self, history, start):
        point = history[:, -1:, :1] + tf.constant([LEADS], tf.float32)[..., None]
        bands = tf.constant([-1.0, 0.0, 1.0])
        with tf.control_dependencies(
            [tf.debugging.assert_equal(tf.strings.length(start), len(START))]
        ):
            return {"forecast": point, "quantiles": point[..., None] + bands}


class Text(tf.Module):
    """A text in capitals; the second and third best have more signs at the end."""

    @tf.function(input_signature=[_TEXT])
    def write(self, text):
        return {
            "best": tf.strings.upper(text),
            "score": tf.fill(tf.shape(text), -0.5),
        }

    @tf.function(input_signature=[_TEXT, tf.TensorSpec([], tf.int32, "k")])
    def nbest(self, text, k):
        upper = tf.strings.upper(text)
        found = tf.stack([upper, upper + "!", upper + "!!"], 1)[:, :k]
        scores = -0.5 - tf.cast(tf.range(tf.shape(found)[1]), tf.float32)
        scores = tf.tile(scores[tf.newaxis], [tf.shape(text)[0], 1])
        return {"best": found, "score": scores, "log_probability": scores}

    @tf.function(input_signature=[_TEXT])
    def attend(self, text):
        pieces = ("▁" + tf.strings.split(text)).to_tensor("")
        weights = tf.eye(tf.shape(pieces)[1], batch_shape=[tf.shape(pieces)[0]])
        return {
            "source_pieces": pieces,
            "target_pieces": tf.strings.upper(pieces),
            "weights": weights,
        }


class Continuation(tf.Module):
    """Counts from the seed up to 99, a number a unit; has two words for blanks."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "prompt")])
    def begin(self, prompt):
        return {
            "state": tf.zeros([tf.size(prompt), 1]),
            "typed": tf.fill(tf.shape(prompt), ""),
            "offset": tf.zeros([tf.size(prompt)]),
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "behind"),
            tf.TensorSpec([None], tf.string, "typed"),
            tf.TensorSpec([None], tf.float32, "offset"),
            tf.TensorSpec([None, 1], tf.float32, "state"),
            tf.TensorSpec([], tf.int32, "first"),
            tf.TensorSpec([], tf.int32, "length"),
            tf.TensorSpec([], tf.float32, "temperature"),
            tf.TensorSpec([], tf.int32, "top_k"),
            tf.TensorSpec([], tf.float32, "top_p"),
            tf.TensorSpec([], tf.int32, "seed"),
        ]
    )
    def write(self, behind, typed, offset, state, first, length, temperature, *others):
        number = others[-1] + tf.cast(state[:, 0], tf.int32)
        is_over = number > 99
        text = tf.strings.join([" ", tf.strings.as_string(number)])
        return {
            "text": tf.where(is_over, "", text),
            "is_over": is_over,
            "state": state + 1,
        }

    @tf.function(input_signature=[_TEXT])
    def score(self, text):
        return {"log_probability": tf.fill(tf.shape(text), -1.0)}

    @tf.function(input_signature=[_TEXT, tf.TensorSpec([], tf.int32, "k")])
    def fill(self, text, k):
        blanks = tf.cast(tf.strings.split(text, "____").bounding_shape(1), tf.int32) - 1
        shape = [tf.size(text), blanks, 1]
        return {
            "filling": tf.tile([[["old", "<b>"]]], shape)[..., :k],
            "probability": tf.tile([[[0.75, 0.25]]], shape)[..., :k],
        }


def card_of(task, answer):
    """The JSON of a card; what is in it beside that does not matter to the page."""
    return {
        "format": 2,
        "name": task,
        "version": 1,
        "created": "2026-01-02T03:04:05",
        "task": task,
        "answer": answer,
        "inputs": {},
        "outputs": {},
    }


def write_labels(folder):
    module = Labels()
    signatures = {"serving_default": module.classify, "explain": module.explain}
    card = card_of("reviews", {"kind": "labels", "classes": CLASSES})
    return _write(folder, module, signatures, card, {"text": np.array(["a good one"])})


def write_label_sets(folder):
    module = LabelSets()
    signatures = {"serving_default": module.classify, "explain": module.explain}
    answer = {
        "kind": "label_sets",
        "classes": [*CLASSES, "never"],
        "thresholds": THRESHOLDS,
    }
    card = card_of("topics", answer)
    return _write(folder, module, signatures, card, {"text": np.array(["a good one"])})


def write_forecast(folder):
    module = Forecast()
    answer = {
        "kind": "forecast",
        "variables": VARIABLES,
        "targets": ["T"],
        "known_future": [],
        "step_seconds": STEP,
        "history_steps": HISTORY,
        "lead_steps": LEADS,
        "quantiles": [0.1, 0.5, 0.9],
        "reading": {"time_column": None, "sentinels": [-9999.0]},
    }
    history = np.arange(HISTORY * 2, dtype=np.float32).reshape(1, HISTORY, 2)
    example = {"history": history, "start": np.array([START])}
    signatures = {"serving_default": module.forecast}
    card = card_of("stations", answer)
    return _write(folder, module, signatures, card, example)


def write_text(folder):
    module = Text()
    signatures = {
        "serving_default": module.write,
        "nbest": module.nbest,
        "attend": module.attend,
    }
    answer = {"kind": "text", "output": "best", "source": "en", "target": "de"}
    card = card_of("sentences", answer)
    return _write(folder, module, signatures, card, {"text": np.array(["a dog runs"])})


def write_continuation(folder):
    module = Continuation()
    signatures = {
        "serving_default": module.score,
        "begin": module.begin,
        "write": module.write,
        "fill": module.fill,
    }
    answer = {"kind": "continuation", "units": "words", "vocabulary_size": 9}
    card = card_of("stories", answer)
    return _write(folder, module, signatures, card, {"text": np.array(["Count:"])})


def _write(folder, module, signatures, card, example):
    tf.saved_model.save(module, str(folder), signatures)
    extra = folder / "assets.extra"
    extra.mkdir()
    (extra / "model_card.json").write_text(json.dumps(card))
    request = predict_pb2.PredictRequest()
    for name, value in example.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    log = prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        writer.write(log.SerializeToString())
    return folder
