"""Which modules the functions of runs may come from."""

import sys
from collections.abc import Sequence

EVERYTHING_ELSE = "*"
_OWN = frozenset({"scheduler_core", "scheduler_infra", "scheduler_worker", "scheduler_api", "scheduler_dispatcher"})


def is_named(module: str, allowed: Sequence[str]) -> bool:
    """Whether the list has this module, or a package that it belongs to.

    >>> is_named("shop.reports", ["shop"]), is_named("shopping", ["shop"])
    (True, False)
    """
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in allowed)


def belongs_to_python(module: str) -> bool:
    """Whether it is part of Python's standard library, or of the scheduler: no place for the functions of runs.

    >>> belongs_to_python("os.path"), belongs_to_python("scheduler_worker.cli"), belongs_to_python("shop")
    (True, True, False)
    """
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in _OWN or top == "__main__"


def module_problem(module: str, allowed: Sequence[str]) -> str | None:
    """Why functions of this module are not called, in one sentence; None when they are.

    >>> module_problem("shop.reports", ["*"])
    >>> module_problem("subprocess", ["*"])[:56]
    "The module 'subprocess' is not allowed on this worker: P"
    """
    if is_named(module, allowed):
        return None
    if EVERYTHING_ELSE not in allowed:
        return (
            f"The module '{module}' is not allowed on this worker, whose worker.python_modules are "
            f"{', '.join(allowed) or 'none'}. Its operator can add it there."
        )
    if belongs_to_python(module):
        return (
            f"The module '{module}' is not allowed on this worker: Python's own modules and the scheduler's are not "
            "called unless worker.python_modules names them. Write a function of your own that calls it."
        )
    return None


def origin_problem(target: str, module: str, allowed: Sequence[str]) -> str | None:
    """Why a function of an allowed module is not called: it was only imported there, from `module`."""
    if is_named(module, allowed) or not belongs_to_python(module):
        return None
    return (
        f"'{target}' comes from '{module}', which is not allowed on this worker: Python's own modules and the "
        "scheduler's are not called unless worker.python_modules names them. Write a function of your own that calls "
        "it."
    )
