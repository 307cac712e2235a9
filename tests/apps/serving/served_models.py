"""SavedModels to be served: those of TensorFlow Serving's own documentation, and small
ones for each case that those leave out.

Nothing here imports the server.
"""

import shutil

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

v1 = tf.compat.v1


def write_half_plus(folder, addend):
    """half_plus_two or half_plus_three, as TensorFlow Serving's repository makes them.

    A graph of TensorFlow 1 with variables by reference, whose signatures of three
    kinds start within the graph and not at a placeholder.
    """
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        a = v1.get_variable("a", initializer=0.5, use_resource=False)
        b = v1.get_variable("b", initializer=float(addend), use_resource=False)
        c = v1.get_variable("c", initializer=3.0, use_resource=False)
        serialized = v1.placeholder(tf.string, [None], name="tf_example")
        parsed = v1.parse_example(
            serialized,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "x2": tf.io.FixedLenFeature([1], tf.float32, [0.0]),
            },
        )
        x = tf.identity(parsed["x"], name="x")
        x2 = tf.identity(parsed["x2"], name="x2")
        y = tf.add(tf.multiply(a, x), b, name="y")
        y2 = tf.add(tf.multiply(a, x), c, name="y2")
        y3 = tf.add(tf.multiply(a, x2), c, name="y3")
        definitions = v1.saved_model.signature_def_utils
        session.run(v1.global_variables_initializer())
        signatures = {
            "regress_x_to_y": definitions.regression_signature_def(serialized, y),
            "regress_x_to_y2": definitions.regression_signature_def(serialized, y2),
            "tensorflow/serving/regress": definitions.regression_signature_def(
                serialized, y
            ),
            # These take numbers, and not tf.Examples.
            "regress_x2_to_y3": definitions.predict_signature_def(
                {"inputs": x2}, {"outputs": y3}
            ),
            "classify_x2_to_y3": definitions.predict_signature_def(
                {"inputs": x2}, {"scores": y3}
            ),
            "classify_x_to_y": definitions.classification_signature_def(
                serialized, None, y
            ),
            "serving_default": definitions.predict_signature_def({"x": x}, {"y": y}),
        }
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], signatures)
        builder.save()
    return folder


def write_example_requests(folder, requests):
    """Warm-up requests of tf.Examples: features by name, and the signature."""
    extra = folder / "assets.extra"
    extra.mkdir()
    with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
        for features, signature in requests:
            log = prediction_log_pb2.PredictionLog()
            request = getattr(log, f"{signature.partition('_')[0]}_log").request
            request.model_spec.signature_name = signature
            example = request.input.example_list.examples.add()
            for name, values in features.items():
                example.features.feature[name].float_list.value.extend(values)
            writer.write(log.SerializeToString())


class Kinds(tf.Module):
    """A signature for each kind of input and output."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([[1.0, 0.0], [0.0, 2.0]])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "tag"),
            tf.TensorSpec([None, 5], tf.float32, "signal"),
            tf.TensorSpec([None, 2, 2], tf.int32, "sensor"),
        ]
    )
    def several(self, tag, signal, sensor):
        """The example of api_rest.md with its three inputs."""
        return {
            "tag": tf.strings.upper(tag),
            "total": tf.reduce_sum(signal, 1),
            "sensor": sensor * 2,
        }

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def linear(self, x):
        """Inner shape known, one output."""
        return {"y": x @ self.weight}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, "x")])
    def mean(self, x):
        """Inner shape open."""
        return {"mean": tf.reduce_mean(x, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def words(self, text):
        """As many columns as the longest text of the batch has words."""
        return {"words": tf.strings.split(text).to_tensor()}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image")])
    def binary(self, image):
        """One output is binary by its name."""
        return {"image_bytes": image, "length": tf.strings.length(image)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
    def scalar(self, x):
        """No batch dimension."""
        return {"y": x * 2}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def classify_examples(self, inputs):
        """Classes of tf.Examples, as TensorFlow 2 exports them."""
        parsed = tf.io.parse_example(
            inputs, {"x": tf.io.FixedLenFeature([1], tf.float32)}
        )
        return {"scores": 2 * parsed["x"]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "inputs")])
    def regress_examples(self, inputs):
        """A number of each tf.Example."""
        return {"outputs": self.classify_examples(inputs)["scores"]}

    @tf.function(input_signature=[])
    def labels(self):
        """No input at all."""
        return {"labels": tf.constant(["no", "yes"])}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "name")])
    def greeting(self, name):
        """A string by itself."""
        return {"text": tf.strings.join(["hello ", name])}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], dtype, dtype.name)
            for dtype in (
                *(tf.bool, tf.int8, tf.uint8, tf.int16, tf.int32, tf.uint32),
                *(tf.int64, tf.uint64, tf.float16, tf.float32, tf.float64, tf.string),
            )
        ]
    )
    def types(self, *tensors):
        """Every type of the table in api_rest.md, given back."""
        return {f"{tensor.dtype.name}_": tf.identity(tensor) for tensor in tensors}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], dtype, dtype.name)
            for dtype in (
                *(tf.bool, tf.int8, tf.uint8, tf.int16, tf.int32, tf.uint32, tf.int64),
                *(tf.uint64, tf.float32, tf.float64, tf.string),
            )
        ]
    )
    def wide(self, *tensors):
        """Every type that the Open Inference Protocol has a list of values for."""
        return {f"{tensor.dtype.name}_": tf.identity(tensor) for tensor in tensors}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], dtype, dtype.name)
            for dtype in (
                *(tf.bool, tf.int8, tf.uint8, tf.int16, tf.int32, tf.uint32, tf.int64),
                *(tf.uint64, tf.float32, tf.float64, tf.string),
                *(tf.float16, tf.bfloat16),
            )
        ]
    )
    def every(self, *tensors):
        """Every type that it has."""
        return {f"{tensor.dtype.name}_": tf.identity(tensor) for tensor in tensors}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def divided(self, x):
        """Fails where the model itself finds x wrong."""
        with tf.control_dependencies([tf.debugging.assert_none_equal(x, 0.0)]):
            return {"y": 1.0 / x}


_EXAMPLES = tf.TensorSpec([None], tf.string, "inputs")


class Echo(tf.Module):
    """Gives back tensors of any shape, as TensorFlow Serving's own tests send them."""

    @tf.function(input_signature=[tf.TensorSpec(None, tf.int32, "x")])
    def ints(self, x):
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def floats(self, x):
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.float64, "x")])
    def doubles(self, x):
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec(None, tf.string, "x")])
    def strings(self, x):
        return {"y_bytes": tf.identity(x)}

    @tf.function(
        input_signature=[
            tf.TensorSpec(None, tf.float64, "dbl"),
            tf.TensorSpec(None, tf.float32, "flt"),
            tf.TensorSpec(None, tf.int32, "int"),
            tf.TensorSpec(None, tf.string, "str"),
        ]
    )
    def several(self, *tensors):
        return {
            f"{name}_": tf.identity(tensor)
            for name, tensor in zip(("dbl", "flt", "int", "str"), tensors, strict=True)
        }

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def complex(self, x):
        return {"y": tf.complex(x, x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def total(self, x):
        return {"y": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def uneven(self, x):
        return {"y": x, "z": x[1:]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def rest(self, x):
        return {"y": x[1:]}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def rests(self, x):
        return {"y": x[1:], "z": 2 * x[1:]}

    def _parsed(self, inputs):
        return tf.io.parse_example(
            inputs,
            {
                name: tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)
                for name, dtype in {"class": tf.string, "score": tf.float32}.items()
            },
        )

    @tf.function(input_signature=[_EXAMPLES])
    def classify(self, inputs):
        parsed = self._parsed(inputs)
        return {"classes": parsed["class"], "scores": parsed["score"]}

    @tf.function(input_signature=[_EXAMPLES])
    def classify_plus_one(self, inputs):
        parsed = self._parsed(inputs)
        return {"classes": parsed["class"], "scores": parsed["score"] + 1}

    @tf.function(input_signature=[_EXAMPLES])
    def classes(self, inputs):
        return {"classes": self._parsed(inputs)["class"]}

    @tf.function(input_signature=[_EXAMPLES])
    def scores(self, inputs):
        return {"scores": self._parsed(inputs)["score"]}

    @tf.function(input_signature=[_EXAMPLES])
    def flat_scores(self, inputs):
        return {"scores": tf.zeros(tf.shape(inputs))}

    @tf.function(input_signature=[_EXAMPLES])
    def short_scores(self, inputs):
        return {"scores": self._parsed(inputs)["score"][1:]}

    @tf.function(input_signature=[_EXAMPLES])
    def short_classes(self, inputs):
        return {"classes": self._parsed(inputs)["class"][1:]}

    @tf.function(input_signature=[_EXAMPLES])
    def scores_of_strings(self, inputs):
        return {"scores": self._parsed(inputs)["class"]}

    @tf.function(input_signature=[_EXAMPLES])
    def classes_of_numbers(self, inputs):
        return {"classes": self._parsed(inputs)["score"]}

    @tf.function(input_signature=[_EXAMPLES])
    def fewer_classes(self, inputs):
        parsed = self._parsed(inputs)
        return {"classes": parsed["class"][:, 1:], "scores": parsed["score"]}

    @tf.function(input_signature=[_EXAMPLES])
    def regress(self, inputs):
        return {"outputs": self._parsed(inputs)["score"]}

    @tf.function(input_signature=[_EXAMPLES])
    def regress_plus_one(self, inputs):
        return {"outputs": self._parsed(inputs)["score"] + 1}

    @tf.function(input_signature=[_EXAMPLES])
    def short_outputs(self, inputs):
        return {"outputs": self._parsed(inputs)["score"][1:]}

    @tf.function(input_signature=[_EXAMPLES])
    def outputs_of_strings(self, inputs):
        return {"outputs": self._parsed(inputs)["class"]}

    @tf.function(input_signature=[_EXAMPLES])
    def failing(self, inputs):
        with tf.control_dependencies([tf.debugging.assert_less(tf.size(inputs), 0)]):
            return {"outputs": self._parsed(inputs)["score"]}


def write_echo(folder):
    module = Echo()
    names = [name for name in vars(Echo) if not name.startswith("_")]
    tf.saved_model.save(
        module, str(folder), {name: getattr(module, name) for name in names}
    )
    return folder


def write_kinds(folder):
    module = Kinds()
    signatures = {
        name: getattr(module, name)
        for name in (
            *("several", "linear", "mean", "words", "binary", "scalar"),
            *(
                "types",
                "divided",
                "labels",
                "greeting",
                "wide",
                "every",
                "classify_examples",
                "regress_examples",
            ),
        )
    }
    tf.saved_model.save(
        module, str(folder), {**signatures, "serving_default": module.linear}
    )
    return folder


class Scaled(tf.Module):
    """Multiplies by a variable that tells versions apart; takes time if asked to."""

    def __init__(self, factor, rounds=0, ballast=0):
        super().__init__()
        self.factor = tf.Variable(float(factor))
        self.ballast = tf.Variable(tf.zeros([ballast]))
        self.rounds = rounds

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def scale(self, x):
        matrix = tf.zeros([64, 64])
        for _ in tf.range(self.rounds):
            matrix = tf.linalg.matmul(matrix, matrix) + 1e-9
        return {"y": x * self.factor + 0.0 * tf.reduce_sum(matrix)}


def write_scaled(folder, factor, rounds=0, ballast=0, warmup=()):
    """A model that multiplies; `warmup` are the inputs of its warm-up requests."""
    module = Scaled(factor, rounds, ballast)
    tf.saved_model.save(module, str(folder), {"serving_default": module.scale})
    if warmup:
        extra = folder / "assets.extra"
        extra.mkdir()
        with tf.io.TFRecordWriter(str(extra / "tf_serving_warmup_requests")) as writer:
            for x in warmup:
                request = predict_pb2.PredictRequest()
                request.inputs["x"].CopyFrom(tf.make_tensor_proto(x))
                log = prediction_log_pb2.PredictionLog(
                    predict_log=prediction_log_pb2.PredictLog(request=request)
                )
                writer.write(log.SerializeToString())
    return folder


def write_keras(folder):
    """A module that tracks a Keras model; returns what it makes of [1, 2]."""
    module = tf.Module()
    module.model = keras.Sequential([keras.Input([2]), keras.layers.Dense(1)])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def run(x):
        return {"y": module.model(x)}

    tf.saved_model.save(module, str(folder), {"serving_default": run})
    return float(run(tf.constant([[1.0, 2.0]]))["y"][0, 0])


def rename_operations(version, name, new_name):
    """Makes operations of a SavedModel into others that nothing registers."""
    file = version / "saved_model.pb"
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in saved_model.meta_graphs:
        library = meta_graph.graph_def.library
        for function in library.function:
            for node in function.node_def:
                if node.op == name:
                    node.op = new_name
    file.write_bytes(saved_model.SerializeToString())


def put(version, to):
    """Puts a version into a served folder as one should: at once."""
    to.parent.mkdir(parents=True, exist_ok=True)
    partial = to.parent / f".partial-{to.name}"
    shutil.copytree(version, partial)
    partial.rename(to)
    return to
