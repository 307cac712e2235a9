"""One of several processes that serve; see `serving.processes`, which starts it."""

import asyncio
import json
import logging
import os
import sys
from pathlib import Path


def main() -> int:
    """Serves as the first line of standard input says; the exit status."""
    logging.getLogger("recurra").propagate = False
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # What libraries print goes elsewhere, since the parent reads what is said.
    said = os.dup(1)
    os.dup2(2, 1)
    first = b""
    while not first.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return 1
        first += byte
    given = json.loads(first)

    from .commands import answer_pages
    from .console import show_log
    from .tensorflow_import import import_tensorflow_quietly

    import_tensorflow_quietly()
    import uvloop

    from .serving.server import serve
    from .serving.settings import Settings, StartError
    from .serving.siblings import Sibling

    show_log()
    for handler in logging.getLogger("recurra").handlers:
        handler.setFormatter(
            logging.Formatter(f"process {given['number']}: %(message)s")
        )

    def say(line: str) -> None:
        os.write(said, line.encode() + b"\n")

    async def run() -> None:
        lines = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(0, "rb", 0)
        )
        sibling = Sibling(given["number"], Path(given["folder"]), say)
        settings = Settings.model_validate(given["settings"])
        await serve(settings, answer_pages, sibling, lines)

    try:
        uvloop.run(run())
    except StartError as error:
        print(f"recurra: error: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # The parent has gone.
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
