"""What `scheduler doctor` looks at."""

import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from importlib.metadata import entry_points

import msgspec

from scheduler_core.config import Settings
from scheduler_core.runtime.broken_plugin import BrokenPlugin

GROUP = "scheduler.checks"


class CheckResult(msgspec.Struct, frozen=True):
    """One thing that was looked at: whether it is well, what was seen, and what to do when it is not."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


Results = AsyncIterable[CheckResult] | Iterable[CheckResult]

# What an entry point of the group scheduler.checks names: a plain, an async, or an async generator function.
Check = Callable[[Settings], Results | Awaitable[Results]]


async def contributed_results(settings: Settings) -> AsyncIterator[CheckResult]:
    """What the checks of all installed distributions find, in order of their names; a check that fails is a result."""
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        try:
            check: Check = entry.load()
        except Exception as error:  # a plug-in may fail in any way
            yield CheckResult(entry.name, False, str(BrokenPlugin.of(entry, error)), "Reinstall that distribution.")
            continue
        async for result in results_of(entry.name, check, settings):
            yield result


async def results_of(name: str, check: Check, settings: Settings) -> AsyncIterator[CheckResult]:
    """The results of one check; an exception becomes a result that is not ok."""
    try:
        found = check(settings)
        results = await found if inspect.isawaitable(found) else found
        if isinstance(results, AsyncIterable):
            async for result in results:
                yield result
        else:
            for result in results:
                yield result
    except Exception as error:  # whatever goes wrong is what the doctor has to tell
        yield CheckResult(name, False, f"{error}" or type(error).__name__, "See the message; the check itself failed.")
