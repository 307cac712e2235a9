"""A cluster of Ray on this machine. `make test-ray` installs Ray by itself.

In the environment of all other tests these are left out.
"""

import importlib.util
import os
import signal
import time
from pathlib import Path

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

if importlib.util.find_spec("ray") is None:
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def cluster():
    """The address of a cluster of two nodes, of two cores each."""
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    nodes.add_node(num_cpus=2)
    yield nodes.address
    nodes.shutdown()


class Processes:
    """The processes of this machine that work for a test, by their command lines."""

    @staticmethod
    def running(*parts):
        """The numbers of those whose command line has all the parts."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                line = (path / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if all(part in line for part in parts):
                found.append(int(path.name))
        return sorted(found)

    @classmethod
    def killed(cls, *parts):
        """Kills the last one, and gives its number."""
        *_, last = cls.running(*parts)
        os.kill(last, signal.SIGKILL)
        return last

    @classmethod
    def gone(cls, *parts, seconds=20):
        """Whether none is left, after some time."""
        end = time.monotonic() + seconds
        while cls.running(*parts):
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True


@pytest.fixture(scope="session")
def processes():
    return Processes
