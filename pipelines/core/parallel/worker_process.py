"""The process of one worker: RUN, the number of the pipe to its parent, its cores."""

import json
import os
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path


def main(path: str, pipe: str, cores: str) -> None:
    """Trains the run's model, and tells the parent how that goes."""
    # Before TensorFlow makes as many threads as there are cores.
    if json.loads(cores):
        os.sched_setaffinity(0, json.loads(cores))
    connection = Connection(int(pipe))
    threading.Thread(target=_end_with_parent, args=[connection], daemon=True).start()

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


def _end_with_parent(connection: Connection) -> None:
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
    # The others may still be at work, and nothing is left to be done here.
    os._exit(0)
