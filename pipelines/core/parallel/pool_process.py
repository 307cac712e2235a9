"""A process of a pool: the number of its pipe and its cores are its arguments."""

import os
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from ..errors import Interrupted, UserError
from .children import begin


def main(connection: Connection) -> None:
    """Runs a function after the other for the parent."""

    def tell(value: Any) -> Any:
        connection.send(("told", value))
        return connection.recv()

    while True:
        function, item = connection.recv()
        try:
            result = function(item, tell)
        except (FloatingPointError, Interrupted, UserError) as error:
            result = error
        except Exception as error:
            last = traceback.format_exc()
            result = RuntimeError(f"{type(error).__name__}: {error}\n{last}")
        connection.send(("done", result))


if __name__ == "__main__":
    try:
        main(begin(*sys.argv[1:]))
    except EOFError:
        # The parent has closed the pipe. Nothing is left to be done here.
        os._exit(0)
