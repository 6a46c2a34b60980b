"""What every console script does around its commands."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import distributions
from typing import TYPE_CHECKING

from scheduler_core.errors import SchedulerError
from scheduler_core.runtime.console import complain
from scheduler_core.runtime.exit_code import ExitCode, exit_code_of

if TYPE_CHECKING:
    from cyclopts import App


def run_app(app: "App", arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; errors that Scheduler can explain are told without a traceback.

    An integer that a command returns is the exit code. Ctrl-C gives 130, a reader that closed the pipe 141.
    """
    from cyclopts import CycloptsError

    try:
        # What cyclopts says about arguments is told like every other error: one line, without a box around it.
        result = app(arguments, result_action="return_value", print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except SchedulerError as error:
        complain(str(error))
        return exit_code_of(error)
    except CycloptsError as error:
        complain(str(error))
        return ExitCode.USAGE
    except SystemExit as error:
        return _code_of(error.code)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The interpreter would complain once more when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except ImportError as error:
        if not str(error).startswith("Cannot import module"):
            raise
        complain(f"{error}: {error.__cause__}. The distribution that brings this command is broken; reinstall it.")
        return ExitCode.FAILURE
    return _code_of(result)


def _code_of(result: object) -> int:
    if isinstance(result, bool):
        return ExitCode.OK if result else ExitCode.FAILURE
    if isinstance(result, int):
        return result
    if isinstance(result, str):
        print(result)
    return ExitCode.OK


def versions() -> str:
    """The installed Scheduler distributions and their versions, one on each line, sorted."""
    found = {
        distribution.name: distribution.version
        for distribution in distributions()
        if distribution.name.startswith("scheduler-")
    }
    return "\n".join(f"{name} {found[name]}" for name in sorted(found))
