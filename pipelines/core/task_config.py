"""What the configuration of every task holds: seed, data, training.

Nothing here imports TensorFlow: the command line makes its options of these classes.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

import pydantic

from .configuration import Config


class DataConfig(Config):
    """Where the data come from; a task adds what it needs to know of them.

    Every plain field is an option of `recurra train TASK`, with its description as the
    help: `text_column` is `--text-column`, and `spec` is `--data`. A field with
    `json_schema_extra={"option": "--target"}` has that name instead.
    """

    spec: str = pydantic.Field(
        "sample", min_length=1, description="sample, tfds:NAME, or a file or folder"
    )


class TrainingConfig(Config):
    """How a model is trained; the same keys for every task."""

    renamed_keys: ClassVar[Mapping[str, str]] = {"decay": "lr_schedule"}

    epochs: int = pydantic.Field(20, ge=1, description="at most so many epochs")
    patience: int = pydantic.Field(
        3, ge=1, description="stop after so many epochs without a better validation"
    )
    averaged_epochs: int = pydantic.Field(
        1,
        ge=1,
        description="best epochs whose weights are averaged at the end, if that is "
        "better on validation",
    )
    batch_size: int = pydantic.Field(64, ge=1, description="rows of a batch")
    learning_rate: float = pydantic.Field(1e-3, gt=0, description="Adam's, at its top")
    lr_schedule: Literal["constant", "linear", "cosine"] = pydantic.Field(
        "constant", description="how the learning rate falls over all epochs"
    )
    warmup_steps: int = pydantic.Field(
        0, ge=0, description="steps of linear rise to the learning rate"
    )
    weight_decay: float = pydantic.Field(
        0.0, ge=0, description="decoupled (AdamW), per step"
    )
    clip_norm: float = pydantic.Field(
        1.0, gt=0, description="global norm that gradients are clipped to"
    )
    checkpoint_seconds: float = pydantic.Field(
        120.0, gt=0, description="seconds between saved states within an epoch"
    )


class TaskConfig(Config):
    """What the configuration of every task holds."""

    seed: int = pydantic.Field(0, ge=0, description="of splits, weights and noise")
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
