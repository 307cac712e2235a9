"""What one of several workers does in training, and what they agree on."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ..errors import UserError, WorkerLost
from .noise import Rows, noise_of


class Workers:
    """The processes that train one model, of which this one is `rank`: here alone."""

    rank = 0
    number = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def distribute(
        self, model: keras.Model, loss_weight: Callable[[Any], tf.Tensor]
    ) -> None:
        """Makes the steps of the compiled model a part of the steps of all workers.

        Args:
            model: Compiled, not trained yet by this process. One that carries states
                from batch to batch has them as weights, of as many rows as a batch, in
                `carried`, and steps with the rows that its attribute `rows` then names,
                leaving zeros for the others.
            loss_weight: What a batch, or rows of one, count in the mean that its loss
                is.
        """

    def rows_of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """What this worker trains on of each of the batches."""
        return batches

    def some_of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        """The batches that this worker evaluates."""
        return batches

    def logs(self, model: keras.Model, logs: Mapping[str, Any]) -> dict[str, float]:
        """The model's metrics over what all workers have seen.

        Args:
            model: As it is after `fit` or `evaluate`.
            logs: What that gave here.
        """
        return {name: float(value) for name, value in logs.items()}

    def any(self, flag: bool) -> bool:
        """Whether one of the workers says so; all ask at the same time."""
        return flag

    def any_at_step(self, stop: bool, save: bool) -> tuple[bool, bool]:
        """As `any`, asked after each step: what was said by the step before counts."""
        return stop, save

    def metric_sums(self, model: keras.Model) -> list[np.ndarray]:
        """The values of the model's metrics' variables, summed over all workers.

        They are those of the steps so far; all ask at the same time.
        """
        return [variable.numpy() for variable in model.metrics_variables]

    def from_first(self, make: Callable[[], Any]) -> Any:
        """What the first worker makes, as JSON keeps it; the others wait for it."""
        return make()


def connect(starting: str = "") -> Workers:
    """The workers that the variable TF_CONFIG names; without it, this process alone.

    To be called before TensorFlow does anything else. It waits until all workers are
    there.

    Args:
        starting: The option by which this process is to start workers; then it can be
            none itself.

    Raises:
        UserError: TF_CONFIG names other jobs than workers, or no task of the cluster,
            cannot be read, or names workers where processes are to be started.
    """
    try:
        cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        addresses = cluster.cluster_spec().as_dict()
        job, index = cluster.task_type, cluster.task_id
    except (TypeError, ValueError) as error:
        raise UserError(f"TF_CONFIG: is no JSON of a cluster ({error})") from None
    number = sum(map(len, addresses.values()))
    if number < 2:
        return Workers()
    if not addresses.keys() <= {"chief", "worker"}:
        raise UserError(
            f"TF_CONFIG: has the jobs {', '.join(addresses)}; name all processes as "
            "worker, or one of them as chief"
        )
    if starting:
        raise UserError(
            f"{starting}: the variable TF_CONFIG makes this process one of {number} "
            "workers already; leave out one of the two"
        )
    if index not in range(len(addresses.get(job, ()))):
        raise UserError(
            f"TF_CONFIG: its task is {job} {index}, which the cluster has not; name "
            "the type and the index of this process"
        )
    chiefs = len(addresses.get("chief", ()))
    return _Cluster(index + (chiefs if job == "worker" else 0), number)


@contextlib.contextmanager
def broken_connections() -> Iterator[None]:
    """Makes a connection to another worker that breaks a `WorkerLost`."""
    try:
        yield
    except (
        tf.errors.UnavailableError,
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
    ) as error:
        raise WorkerLost(
            "the connection to another worker broke; start all again with --run DIR "
            "--resume, which go on from the last saved state"
        ) from error


# The key of the sums of gradients; the other sums have the numbers behind it.
_STEP = 1


class _Part(NamedTuple):
    """The rows of a worker, and their part of the weight of the whole batch."""

    rows: Rows
    fraction: tf.Tensor


class _Cluster(Workers):
    """Several processes, connected by TensorFlow's collectives."""

    def __init__(self, rank: int, number: int):
        self.rank, self.number = rank, number
        # Nothing is trained under the strategy. It starts the server and watches it.
        self._strategy = tf.distribute.MultiWorkerMirroredStrategy()
        with tf.device("CPU:0"):
            self._order = tf.Variable(0.0, trainable=False)
            self._key = tf.Variable(_STEP, trainable=False)
            # Whether this worker wants to stop, and to save; and how many want.
            self._flags = tf.Variable([0.0, 0.0], trainable=False)
            self._all_flags = tf.Variable([0.0, 0.0], trainable=False)
        self._part: _Part | None = None
        # What the model carries from batch to batch.
        self._carried: list[Any] = []

    def distribute(
        self, model: keras.Model, loss_weight: Callable[[Any], tf.Tensor]
    ) -> None:
        self._loss_weight = loss_weight
        self._carried = list(getattr(model, "carried", ()))
        plain_step, optimizer = model.train_step, model.optimizer
        plain_apply = optimizer.apply

        def train_step(data: tuple[Any, _Part]) -> Any:
            batch, part = data
            self._part = part
            with noise_of(part.rows), _training_on(model, part.rows):
                return plain_step(batch)

        def apply(grads: Sequence[Any], trainable_variables: Any = None) -> None:
            variables = trainable_variables or model.trainable_variables
            shapes = [tuple(variable.shape) for variable in variables]
            plain_apply(self._summed(grads, shapes), variables)

        # XLA compiles no sums over workers.
        model.jit_compile = False
        model.train_step, optimizer.apply = train_step, apply

    def rows_of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        return batches.map(self._part_of).prefetch(2)

    def some_of(self, batches: tf.data.Dataset) -> tf.data.Dataset:
        # A state that is carried knows no gaps, so each worker evaluates all.
        return batches if self._carried else batches.shard(self.number, self.rank)

    def logs(self, model: keras.Model, logs: Mapping[str, Any]) -> dict[str, float]:
        sums = self.metric_sums(model)
        for variable, total in zip(model.metrics_variables, sums, strict=True):
            variable.assign(total)
        metrics = model.get_metrics_result()
        there = {name: metrics.get(name, value) for name, value in logs.items()}
        # A worker that had no batch to evaluate has no logs.
        return super().logs(model, there or metrics)

    def any(self, flag: bool) -> bool:
        return bool(self._sum(tf.constant([float(flag)]))[0] > 0)

    def any_at_step(self, stop: bool, save: bool) -> tuple[bool, bool]:
        all_stop, all_save = self._all_flags.numpy() > 0
        self._flags.assign([float(stop), float(save)])
        return bool(all_stop), bool(all_save)

    def metric_sums(self, model: keras.Model) -> list[np.ndarray]:
        variables = model.metrics_variables
        sizes = [math.prod(variable.shape) for variable in variables]
        values = [tf.reshape(tf.cast(each, tf.float64), [-1]) for each in variables]
        sums = np.split(self._sum(tf.concat(values, 0)).numpy(), np.cumsum(sizes)[:-1])
        return [
            total.reshape(variable.shape)
            for variable, total in zip(variables, sums, strict=True)
        ]

    def from_first(self, make: Callable[[], Any]) -> Any:
        text = json.dumps(make(), default=float).encode() if self.is_first else b""
        (size,) = self._sum(tf.constant([len(text)], tf.int32)).numpy()
        codes = list(text) if self.is_first else [0] * size
        return json.loads(bytes(self._sum(tf.constant(codes, tf.int32)).numpy()))

    def _part_of(self, *batch: Any) -> tuple[Any, _Part]:
        # Not known when the graph is made, of batches of a fixed size either: noise is
        # by row where that is so.
        count = tf.raw_ops.PlaceholderWithDefault(
            input=tf.shape(tf.nest.flatten(batch)[0])[0], shape=()
        )
        begin = count * self.rank // self.number
        end = count * (self.rank + 1) // self.number
        # Of too few rows each worker takes all, and a part of their weight.
        is_shared = count < self.number
        begin, end = tf.where(is_shared, 0, begin), tf.where(is_shared, count, end)
        mine = tf.nest.map_structure(lambda rows: rows[begin:end], batch)
        fraction = tf.math.divide_no_nan(
            tf.cast(self._loss_weight(mine), tf.float32),
            tf.cast(self._loss_weight(batch), tf.float32),
        )
        fraction /= tf.where(is_shared, float(self.number), 1.0)
        return mine, _Part(Rows(begin, end - begin, count), fraction)

    def _summed(
        self, gradients: Sequence[Any], shapes: Sequence[tuple[int, ...]]
    ) -> list[Any]:
        """The gradients of the whole batch; None stays None.

        With them go the states that are carried, of all rows to all workers.
        """
        assert self._part is not None
        rows, fraction = self._part
        there = [number for number, each in enumerate(gradients) if each is not None]
        # Rows of a table are summed as the whole table.
        flat = [tf.reshape(tf.convert_to_tensor(gradients[n]), [-1]) for n in there]
        # Of too few rows each worker has all.
        once = 1 / tf.where(rows.mine == rows.all, float(self.number), 1.0)
        states = [tf.reshape(state, [-1]) * once for state in self._carried]
        mine = [tf.concat(flat, 0) * fraction, *states, self._flags]
        sizes = [math.prod(shapes[number]) for number in there]
        of_states = [math.prod(state.shape) for state in self._carried]
        total = self._sum(tf.concat(mine, 0), _STEP)
        *parts, flags = tf.split(total, [*sizes, *of_states, 2])
        self._all_flags.assign(flags)
        for state, part in zip(self._carried, parts[len(there) :], strict=True):
            state.assign(tf.reshape(part, state.shape))
        summed: list[Any] = [None] * len(gradients)
        for number, part in zip(there, parts[: len(there)], strict=True):
            summed[number] = tf.reshape(part, shapes[number])
        return summed

    def _sum(self, values: tf.Tensor, key: int | None = None) -> tf.Tensor:
        """The sum over the workers, the same in all of them.

        Args:
            values: Of any shape, the same in all workers.
            key: Of a sum that is made again and again; a new one, which TensorFlow
                keeps in memory, if None.
        """
        with tf.device("CPU:0"):
            if key is None:
                key = self._key.assign_add(1, read_value=True)
            return tf.raw_ops.CollectiveReduceV2(
                input=values,
                group_size=self.number,
                group_key=1,
                instance_key=key,
                ordering_token=[self._order.handle],
                merge_op="Add",
                final_op="Id",
                communication_hint="RING",
                # None: a worker may make its graph for minutes, and a dead one is
                # known by its connection.
                timeout_seconds=0,
            )


@contextlib.contextmanager
def _training_on(model: keras.Model, rows: Rows) -> Iterator[None]:
    """Meanwhile a model that carries states has these rows of them."""
    if not hasattr(model, "carried"):
        yield
        return
    model.rows = rows
    try:
        yield
    finally:
        model.rows = None
