"""What `recurra data list` tells of the data that a task takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DataSpec:
    """A line of it: how to ask for some data and what they are."""

    spec: str
    description: str
