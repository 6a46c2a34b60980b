"""Functions by name."""

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.errors import SchedulerError
from scheduler_worker.error_text import described
from scheduler_worker.executors.callable_rules import belongs_to_python, module_problem, origin_problem


class CallableError(SchedulerError):
    """A function cannot be loaded; the text says at which part of its name."""


class CallableRefusedError(CallableError):
    """A function may not be called on this worker."""


def add_to_path(directories: Sequence[str]) -> None:
    """Let modules be found in these directories first, in this order."""
    wanted = [str(Path(directory).absolute()) for directory in directories]
    sys.path[:0] = [directory for directory in wanted if directory not in sys.path]


def load_callable(target: str, allowed: Sequence[str]) -> Callable[..., Any]:
    """The function that ``package.module:name`` names; raises CallableError, whatever its module does.

    CallableRefusedError when `allowed` (see callable_rules) has no room for its module, or for the one that it comes
    from; then its module may have been imported, but nothing of it is called.

    >>> load_callable("os.path:join", ["os"])("a", "b")
    'a/b'
    """
    module_name, _, path = target.partition(":")
    if (problem := module_problem(module_name, allowed)) is not None:
        raise CallableRefusedError(problem)
    found = _imported(module_name)
    seen = module_name
    for name in path.split("."):
        if name.startswith("__") and name.endswith("__"):
            raise CallableRefusedError(f"'{target}' names {name}, which belongs to Python. Name a function.")
        try:
            found = getattr(found, name)
        except AttributeError:
            raise CallableError(f"'{seen}' has no attribute '{name}'.") from None
        except BaseException as error:
            raise CallableError(f"Looking for '{name}' in '{seen}' failed with {described(error)}.") from error
        seen = f"{seen}.{name}"
        if inspect.ismodule(found) and (problem := module_problem(found.__name__, allowed)) is not None:
            raise CallableRefusedError(problem)
    if not callable(found):
        raise CallableError(f"'{target}' is a {type(found).__name__} and cannot be called.")
    # Who has named a module of Python's has named the functions that it takes from others of them.
    if not belongs_to_python(module_name) and (problem := origin_problem(target, _origin(found), allowed)) is not None:
        raise CallableRefusedError(problem)
    return found  # type: ignore[no-any-return]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it gives something to await rather than a result."""
    unwrapped = inspect.unwrap(function)
    return any(
        inspect.iscoroutinefunction(candidate)
        for candidate in (function, unwrapped, getattr(type(unwrapped), "__call__", None))  # noqa: B004
    )


def _imported(module_name: str) -> Any:
    try:
        return importlib.import_module(module_name)
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


def _origin(found: Any) -> str:
    """The module that a function was made in."""
    while isinstance(found, functools.partial):
        found = found.func
    module = getattr(found, "__module__", None)
    return module if isinstance(module, str) else type(found).__module__
