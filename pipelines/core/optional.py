"""Parts that a run can be finished without: a baseline, a figure, the report.

>>> with collect_failures() as failed:
...     with optional("baseline ridge"):
...         fit_ridge()
>>> failed
{'baseline ridge': 'LinAlgError: Singular matrix'}

Where nobody collects failures, as in a test of such a part, errors are errors.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TypeVar

from .errors import Interrupted, UserError

logger = logging.getLogger("recurra")

#: How the name of a baseline among the failures begins.
BASELINE = "baseline "

Given = TypeVar("Given")
Value = TypeVar("Value")

_failures: ContextVar[dict[str, str] | None] = ContextVar("failures", default=None)


@contextlib.contextmanager
def collect_failures() -> Iterator[dict[str, str]]:
    """The reasons of what fails inside, by its name."""
    failed: dict[str, str] = {}
    token = _failures.set(failed)
    try:
        yield failed
    finally:
        _failures.reset(token)


def failures() -> Mapping[str, str]:
    """What has failed so far, of what is collected."""
    return dict(_failures.get() or {})


@contextlib.contextmanager
def optional(name: str | Callable[[], str]) -> Iterator[None]:
    """What fails inside is left out, logged and collected; the caller goes on.

    A user's error and a request to stop pass through.

    Args:
        name: For people: "baseline ridge", "figure Loss". As a function it is asked
            when something has failed.
    """
    failed = _failures.get()
    try:
        yield
    except (UserError, Interrupted):
        raise
    except Exception as error:
        if failed is None:
            raise
        name = name if isinstance(name, str) else name()
        said = str(error).strip().partition("\n")[0]
        failed[name] = f"{type(error).__name__}: {said}"
        logger.warning("%s failed and is left out (%s)", name, failed[name])
        logger.debug("%s", name, exc_info=error)


def of_baselines(
    baselines: Mapping[str, Given], use: Callable[[Given], Value]
) -> dict[str, Value]:
    """What each baseline gives, by its name; those that fail are left out.

    Tasks fit their baselines by it, and ask them for their answers.

    Args:
        baselines: Fitted or not, by name.
        use: Fits one, or asks it.
    """
    given: dict[str, Value] = {}
    for name, baseline in baselines.items():
        with optional(f"{BASELINE}{name}"):
            given[name] = use(baseline)
    return given
