"""The way to a cluster of Ray, which is imported if there is one to go to."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    from .nodes import Nodes


@contextlib.contextmanager
def connected(address: str | None) -> Iterator["Nodes | None"]:
    """The nodes of a cluster, within the context.

    Args:
        address: As `ray.init` takes it: "auto", "HOST:PORT", "ray://HOST:PORT", or
            "local" for a new cluster of this machine alone; nothing is done if None.

    Raises:
        UserError: Ray is not installed, or the cluster cannot be reached.
    """
    if address is None:
        yield None
        return
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError:
        raise UserError(
            f"--cluster {address}: Ray is not installed; this needs the extra ray: "
            "pip install 'recurra[ray]'"
        ) from None
    from .nodes import reached

    with reached(address) as nodes:
        yield nodes
