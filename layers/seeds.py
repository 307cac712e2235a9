"""Seeds of noise: other numbers on every replica of a distribution strategy."""

from __future__ import annotations

from typing import Any

import keras

# Apart from the seeds that people give, which are near each other.
_BETWEEN_REPLICAS = 1_000_003


class SeedGenerator(keras.random.SeedGenerator):
    """That of Keras, and on each replica of `tf.distribute` another stream.

    There every replica has a copy of the seed, so all would draw the same masks. By
    `keras.distribution` a batch is drawn as a whole and then parted.
    """

    def next(self, ordered: bool = True) -> Any:
        seed = super().next(ordered)
        if keras.backend.backend() != "tensorflow":
            return seed
        import tensorflow as tf

        replica = tf.distribute.get_replica_context()
        if replica is None or replica.num_replicas_in_sync == 1:
            return seed
        number = tf.cast(replica.replica_id_in_sync_group, seed.dtype)
        return seed + tf.stack([number * _BETWEEN_REPLICAS, tf.zeros_like(number)])
