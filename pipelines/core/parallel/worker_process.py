"""The process of one worker: the number of the pipe to its parent, its cores, RUN."""

import contextlib
import os
import sys
import traceback
from pathlib import Path

from .children import begin


def main(pipe: str, cores: str, path: str) -> None:
    """Trains the run's model, and tells the parent how that goes."""
    connection = begin(pipe, cores)

    from ..errors import Interrupted, UserError, WorkerLost
    from ..runs import Run
    from ..workflow import train_part
    from .processes import Relay
    from .workers import broken_connections, connect

    try:
        with broken_connections():
            workers = connect()
            progress = Relay(connection) if workers.is_first else None
            train_part(Run.open(Path(path)), workers, progress)
        connection.send(("done", None))
    except WorkerLost as error:
        connection.send(("broken", str(error)))
    except Interrupted as error:
        # The first may still be saving.
        connection.send(("raised", error) if workers.is_first else ("done", None))
    except (FloatingPointError, UserError) as error:
        connection.send(("raised", error))
    except Exception:
        connection.send(("raised", RuntimeError(traceback.format_exc())))
    # The others may still ask this process for its part of the last sum. The parent
    # ends it once all are done, and the pipe breaks where the parent is gone itself.
    with contextlib.suppress(EOFError, OSError):
        connection.recv()


if __name__ == "__main__":
    main(*sys.argv[1:])
    # Nothing is left to be done here, and TensorFlow's server would not let it end.
    os._exit(0)
