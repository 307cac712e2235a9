"""Tasks from raw data to a trained, evaluated and exported model.

>>> from recurra.pipelines import train
>>> run = train("sentiment", data="reviews.csv")
>>> model = run.export("saved_models")
>>> model.predict(["Not a dull minute in it."])

What needs TensorFlow is imported when it is used.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .core.api import evaluate, export, open_run, train, train_many, tune
    from .core.errors import UserError
    from .core.exported_model import load_model

# By name the module that it is in.
_MODULES = {
    "UserError": "errors",
    "evaluate": "api",
    "export": "api",
    "load_model": "exported_model",
    "open_run": "api",
    "train": "api",
    "train_many": "api",
    "tune": "api",
}

__all__ = [
    "UserError",
    "evaluate",
    "export",
    "load_model",
    "open_run",
    "train",
    "train_many",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # The pipelines are TensorFlow's, whichever backend is the default elsewhere.
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    module = importlib.import_module(f".core.{_MODULES[name]}", __name__)
    return getattr(module, name)
