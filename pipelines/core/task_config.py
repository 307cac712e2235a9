"""What the configuration of every task holds: seed, data, training.

Nothing here imports TensorFlow: the command line makes its options of these classes.
"""

import math
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import pydantic

from .configuration import Config

# A handful of rows, a batch of which is an epoch, is not gone through more often.
_MOST_EPOCHS = 100


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

    epochs: int | None = pydantic.Field(
        None, ge=1, description="at most so many epochs; as `steps` says if null"
    )
    steps: int = pydantic.Field(
        1500,
        ge=1,
        description="batches of training data that one epoch is enough of; of B it is "
        "(steps / B)^(3/4) epochs",
    )
    epoch_steps: int | None = pydantic.Field(
        None,
        ge=1,
        description="batches after which an epoch ends, before all data are seen; all "
        "if null",
    )
    patience: int | None = pydantic.Field(
        None,
        ge=1,
        description="stop after so many epochs without a better validation; a third "
        "of all, at least 3, and `averaging_patience` more, if null",
    )
    averaged_epochs: int = pydantic.Field(
        1,
        ge=1,
        description="best epochs whose weights are averaged at the end, if that is "
        "better on validation",
    )
    averaging_patience: int | None = pydantic.Field(
        None,
        ge=1,
        description="epochs without a better validation after which the weights are "
        "averaged over all further steps; never if null",
    )
    batch_size: int = pydantic.Field(64, ge=1, description="rows of a batch")
    learning_rate: float = pydantic.Field(1e-3, gt=0, description="Adam's, at its top")
    lr_schedule: Literal["constant", "linear", "cosine"] = pydantic.Field(
        "constant", description="how the learning rate falls over all epochs"
    )
    warmup_fraction: float = pydantic.Field(
        0.0, ge=0, le=1, description="of all steps, of linear rise to the learning rate"
    )
    warmup_steps: int | None = pydantic.Field(
        None, ge=0, description="steps of that rise; as `warmup_fraction` says if null"
    )
    weight_decay: float = pydantic.Field(
        0.0, ge=0, description="decoupled (AdamW), per step"
    )
    clip_norm: float = pydantic.Field(
        1.0, gt=0, description="global norm that gradients are clipped to"
    )
    trackers: list[Literal["tensorboard", "mlflow", "wandb"]] = pydantic.Field(
        [], description="what is told of the run; each needs the extra of its name"
    )
    checkpoint_seconds: float = pydantic.Field(
        120.0, gt=0, description="seconds between saved states within an epoch"
    )

    @pydantic.model_validator(mode="after")
    def _averages_before_it_ends(self) -> Self:
        begin, end = self.averaging_patience, self.patience
        if begin is not None and end is not None and begin >= end:
            raise ValueError(
                f"averaging_patience: is {begin}, but training ends after {end} epochs "
                "without a better validation; give a larger patience"
            )
        return self

    def settled(self, steps_per_epoch: int) -> Self:
        """The same with epochs and patience in numbers, where a rule has them.

        The more there is to learn from, the fewer passes: their number falls as the
        power 3/4 of the batches of one, so that the updates grow as their fourth root.
        With the default `steps`, 8 batches are gone through 51 times (408 updates), 80
        batches 9 times (720), 350 batches 3 times (1,050), and 1,500 or more once.

        Args:
            steps_per_epoch: Batches of an epoch, at least 1.
        """
        epochs, patience = self.epochs, self.patience
        if epochs is None:
            passes = round((self.steps / steps_per_epoch) ** 0.75)
            epochs = min(max(passes, 1), _MOST_EPOCHS)
        if patience is None:
            patience = max(3, math.ceil(epochs / 3)) + (self.averaging_patience or 0)
        return self.model_copy(update={"epochs": epochs, "patience": patience})

    def warmup(self, steps: int) -> int:
        """Of so many steps in all, those in which the learning rate rises."""
        if self.warmup_steps is None:
            return round(self.warmup_fraction * steps)
        return min(self.warmup_steps, steps)


class TaskConfig(Config):
    """What the configuration of every task holds."""

    seed: int = pydantic.Field(0, ge=0, description="of splits, weights and noise")
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()

    @property
    def split_seed(self) -> int:
        """Of splits: that of the section `data`, if it has one."""
        own: int | None = getattr(self.data, "split_seed", None)
        return self.seed if own is None else own
