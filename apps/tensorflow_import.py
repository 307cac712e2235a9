"""TensorFlow's import, without the lines that it writes to the screen."""

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator

# The descriptor, which C++ writes to whatever sys.stderr is.
_STANDARD_ERROR = 2


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow and keeps its start-up messages off the screen.

    It takes seconds, so commands call it when their work starts. Some of the lines come
    from C++ before any log level is read; only the file descriptor stops those.
    """
    with _standard_error_to_nowhere():
        import tensorflow as tf
    tf.get_logger().setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    # numpy and protobuf announce their future to libraries here, not to our users.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    warnings.filterwarnings("ignore", category=FutureWarning)


@contextlib.contextmanager
def _standard_error_to_nowhere() -> Iterator[None]:
    try:
        kept = os.dup(_STANDARD_ERROR)
    except OSError:
        # The process was started without one.
        yield
        return
    sys.stderr.flush()
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), _STANDARD_ERROR)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
