"""How components start, stop and fail together."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

import pytest

from scheduler_core.errors import SchedulerError, StoreUnavailableError
from scheduler_core.interfaces import Component
from scheduler_core.runtime import component_runner
from scheduler_core.runtime.component_runner import ComponentRunner

Ready = Callable[[str], None]


class Actor:
    """A component that writes down what happens to it, and misbehaves on demand."""

    order: ClassVar[int] = 0

    def __init__(
        self, name: str, diary: list[str], *, during: Any = None, after: Any = None, starts: bool = True
    ) -> None:
        self.name = name
        self._diary = diary
        self._during = during
        self._after = after
        self._starts = starts

    async def run(self, ready: Ready, stopping: asyncio.Event) -> None:
        """Start, be ready, do `during`, wait for the stop, do `after`."""
        self._diary.append(f"start {self.name}")
        try:
            if self._starts:
                await asyncio.sleep(0)
                ready("here")
            if self._during is not None:
                await self._during()
            await stopping.wait()
            self._diary.append(f"stop {self.name}")
            await asyncio.sleep(0)
            if self._after is not None:
                await self._after()
            self._diary.append(f"end {self.name}")
        except asyncio.CancelledError:
            self._diary.append(f"cancel {self.name}")
            raise


class Stage:
    """Builds actors and runs them."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.left_with: list[int] = []

    def actor(self, name: str, **habits: Any) -> Actor:
        """A component of this name."""
        return Actor(name, self.diary, **habits)

    async def run(
        self,
        *actors: Actor,
        grace_seconds: float = 20.0,
        when_ready: Callable[[], None] = lambda: None,
        on_hangup: Callable[[], bool] = lambda: False,
    ) -> int:
        """Run to the end, within a limit."""
        runner = ComponentRunner(
            cast(list[Component], list(actors)),
            grace_seconds=grace_seconds,
            report_ready=lambda name, line: self.diary.append(f"ready {name}"),
            report_all_ready=when_ready,
            on_hangup=on_hangup,
            exit_now=self.left_with.append,
        )
        return await asyncio.wait_for(runner.run(), 20)


@pytest.fixture
def stage() -> Stage:
    """A stage."""
    return Stage()


@pytest.fixture
def hangup_default() -> Iterator[None]:
    """Have SIGHUP mean what it means without nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def send(number: int) -> Callable[[], None]:
    """Send a signal to this process."""
    return lambda: os.kill(os.getpid(), number)


async def fail_with(error: BaseException) -> None:
    """Raise."""
    raise error


async def for_ever() -> None:
    """Never return by itself."""
    await asyncio.Event().wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_run_starts_in_order_and_stops_in_reverse(stage: Stage, number: int, hangup_default: None) -> None:
    """Each waits for the one before, and what was started first ends last, after all others have ended."""
    code = await stage.run(stage.actor("a"), stage.actor("b"), stage.actor("c"), when_ready=send(number))
    assert code == 0
    assert stage.diary == [
        *("start a", "ready a", "start b", "ready b", "start c", "ready c"),
        *("stop c", "end c", "stop b", "end b", "stop a", "end a"),
    ]


async def test_run_goes_on_after_a_hangup_that_somebody_deals_with(stage: Stage, hangup_default: None) -> None:
    """SIGHUP neither begins a stop nor forces one that has begun when it is taken for something else."""
    heard_twice = asyncio.Event()

    def hear() -> bool:
        stage.diary.append("hangup")
        if stage.diary.count("hangup") == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            heard_twice.set()
        return True

    async def hang_up() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.wait_for(heard_twice.wait(), 10)

    code = await stage.run(stage.actor("a", after=hang_up), when_ready=send(signal.SIGHUP), on_hangup=hear)
    assert stage.diary == ["start a", "ready a", "hangup", "stop a", "hangup", "end a"]
    assert code == 0


async def test_run_puts_signal_handlers_back(stage: Stage) -> None:
    """After the run Ctrl-C means what it meant before."""
    before = signal.getsignal(signal.SIGTERM)
    await stage.run(stage.actor("a"), when_ready=send(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) == before


async def test_run_explains_a_component_that_fails_and_stops_the_others(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """An explained error is one paragraph without traceback; the exit code is 1 and the others drain."""
    failing = stage.actor("b", during=lambda: fail_with(StoreUnavailableError("No database. Start it.")))
    assert await stage.run(stage.actor("a"), failing, stage.actor("c")) == 1
    assert stage.diary[-2:] == ["stop a", "end a"]
    told = capsys.readouterr()
    assert told.err == "error: The component 'b' failed: No database. Start it.\n"
    assert told.out == ""


async def test_run_does_not_start_what_comes_after_a_failed_start(stage: Stage) -> None:
    """A component whose predecessor never got ready is not started."""
    failing = stage.actor("b", starts=False, during=lambda: fail_with(SchedulerError("no")))
    assert await stage.run(stage.actor("a"), failing, stage.actor("c")) == 1
    assert "start c" not in stage.diary
    assert "end a" in stage.diary


async def test_run_shows_the_traceback_of_an_unexpected_error(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody foresaw is shown in full."""
    assert await stage.run(stage.actor("a", during=lambda: fail_with(ZeroDivisionError("oops")))) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "The component 'a' failed with ZeroDivisionError: oops." in told


async def test_run_explains_groups_of_known_errors(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A component's task group is no reason for a traceback."""
    group = ExceptionGroup("g", [SchedulerError("one"), ExceptionGroup("h", [SchedulerError("two")])])
    assert await stage.run(stage.actor("a", during=lambda: fail_with(group))) == 1
    told = capsys.readouterr().err.splitlines()
    assert told == ["error: The component 'a' failed: one", "error: The component 'a' failed: two"]


async def test_run_survives_a_library_that_calls_exit(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A SystemExit inside one component still lets the others drain."""
    assert await stage.run(stage.actor("a"), stage.actor("b", during=lambda: fail_with(SystemExit(3)))) == 1
    assert stage.diary[-1] == "end a"
    assert "exit code 3" in capsys.readouterr().err


async def test_run_refuses_a_component_that_ends_by_itself(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """A component that returns unasked is a failure of the process, not a quiet loss."""

    class Quitter(Actor):
        async def run(self, ready: Ready, stopping: asyncio.Event) -> None:
            ready("here")

    assert await stage.run(stage.actor("a"), Quitter("b", stage.diary)) == 1
    assert "'b' failed: it ended although nobody asked it to" in capsys.readouterr().err
    assert stage.diary[-1] == "end a"


async def test_run_gives_exit_code_1_when_stopping_fails(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """An error while draining is told, and those that stop later still get their turn."""
    failing = stage.actor("b", after=lambda: fail_with(SchedulerError("Could not hand back.")))
    assert await stage.run(stage.actor("a"), failing, when_ready=send(signal.SIGTERM)) == 1
    assert stage.diary[-1] == "end a"
    assert "Could not hand back." in capsys.readouterr().err


async def test_run_cancels_what_does_not_stop_within_the_grace(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stop has a limit, and the others still stop in order after it."""
    stuck = stage.actor("b", after=for_ever)
    assert await stage.run(stage.actor("a"), stuck, grace_seconds=0.05, when_ready=send(signal.SIGTERM)) == 1
    assert stage.diary[-4:] == ["stop b", "cancel b", "stop a", "end a"]
    assert "'b' did not stop within 0.05 s" in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_run_leaves_at_once_on_a_second_signal(stage: Stage, number: int, code: int) -> None:
    """The second Ctrl-C cancels, in reverse order still."""

    async def insist() -> None:
        send(number)()
        await for_ever()

    actors = [stage.actor("a", after=for_ever), stage.actor("b", after=insist)]
    assert await stage.run(*actors, when_ready=send(number)) == code
    assert stage.diary[-4:] == ["stop b", "cancel b", "stop a", "cancel a"]


async def test_run_stops_while_starting(stage: Stage) -> None:
    """A signal before everything is ready stops what has been started and starts nothing more."""

    async def interrupted() -> None:
        send(signal.SIGINT)()

    slow = stage.actor("b", starts=False, during=interrupted)
    assert await stage.run(stage.actor("a"), slow, stage.actor("c")) == 0
    assert stage.diary == ["start a", "ready a", "start b", "stop b", "end b", "stop a", "end a"]


async def test_run_stops_the_others_before_it_leaves_a_component_that_is_stuck(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A component that does not even react to being cancelled does not leave the database behind it running."""
    monkeypatch.setattr(component_runner, "_CANCEL_SECONDS", 0.1)
    release = asyncio.Event()
    left_after: list[str] = []

    async def swallow() -> None:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()

    def leave(code: int) -> None:
        stage.left_with.append(code)
        left_after.extend(stage.diary)
        release.set()

    runner = ComponentRunner(
        cast(list[Component], [stage.actor("database"), stage.actor("stuck", after=swallow)]),
        grace_seconds=0.1,
        report_ready=lambda name, line: None,
        report_all_ready=send(signal.SIGTERM),
        exit_now=leave,
    )
    await asyncio.wait_for(runner.run(), 20)

    assert stage.left_with == [1]
    assert "end database" in left_after
