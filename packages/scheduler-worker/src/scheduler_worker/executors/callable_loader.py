"""Functions by name."""

import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.errors import SchedulerError
from scheduler_worker.error_text import described


class CallableError(SchedulerError):
    """A function cannot be loaded; the text says at which part of its name."""


def add_to_path(directories: Sequence[str]) -> None:
    """Let modules be found in these directories first, in this order."""
    wanted = [str(Path(directory).absolute()) for directory in directories]
    sys.path[:0] = [directory for directory in wanted if directory not in sys.path]


def load_callable(target: str) -> Callable[..., Any]:
    """The function that ``package.module:name`` names; raises CallableError, whatever its module does.

    >>> load_callable("os.path:join")("a", "b")
    'a/b'
    """
    module_name, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        # A module that was written after the last look into its directory would stay unseen.
        importlib.invalidate_caches()
        if module_name == missing or module_name.startswith(f"{missing}."):
            raise CallableError(
                f"There is no module '{missing}' on this worker. Install it, or name its directory in "
                "worker.python_path or PYTHONPATH."
            ) from error
        raise CallableError(f"The module '{module_name}' needs '{missing}', which is not installed.") from error
    except BaseException as error:
        raise CallableError(f"Importing '{module_name}' failed with {described(error)}.") from error
    seen = module_name
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CallableError(f"'{seen}' has no attribute '{name}'.") from None
        seen = f"{seen}.{name}"
    if not callable(found):
        raise CallableError(f"'{target}' is a {type(found).__name__} and cannot be called.")
    return found  # type: ignore[no-any-return]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await rather than a result."""
    unwrapped = inspect.unwrap(function)
    return any(
        inspect.iscoroutinefunction(candidate)
        for candidate in (function, unwrapped, getattr(type(unwrapped), "__call__", None))  # noqa: B004
    )
