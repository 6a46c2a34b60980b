"""From names to a running process."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from scheduler_core.config import ConfigSection, Settings, setting
from scheduler_core.config.section_registry import InstalledSections
from scheduler_core.interfaces import Component
from scheduler_core.runtime import component_process
from scheduler_core.runtime.component_process import grace_seconds, run_components
from scheduler_core.runtime.component_registry import Selection


class DrainingSection(ConfigSection):
    """A section with a drain."""

    section: ClassVar[str] = "worker"
    drain_seconds: float = setting(60.0, "How long it drains.")


def test_grace_seconds_gives_every_drain_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that may drain for an hour is not cancelled after half a minute."""
    installed = InstalledSections({"worker": DrainingSection}, ())
    monkeypatch.setattr(component_process, "installed_sections", lambda: installed)
    settings = Settings.of(DrainingSection(drain_seconds=3600.0), state_dir=tmp_path)
    named: Any = type("Named", (), {"name": "worker"})
    other: Any = type("Named", (), {"name": "other"})
    assert grace_seconds(cast(list[Component], [named]), settings) == 3630.0
    assert grace_seconds(cast(list[Component], [other]), settings) == 30.0


def test_run_components_refuses_to_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With everything disabled it says so instead of waiting for ever, and makes no state directory."""
    state = tmp_path / "state"
    settings = Settings.of(state_dir=state)
    monkeypatch.setattr(component_process, "log_to_stderr", lambda: None)
    monkeypatch.setattr(component_process, "load_settings", lambda *_, **__: settings)
    monkeypatch.setattr(component_process, "select_components", lambda *_: Selection([], []))
    monkeypatch.setattr(component_process, "installed_sections", lambda: InstalledSections({}, ()))
    assert run_components() == 2
    assert "There is nothing to run" in capsys.readouterr().err
    assert not state.exists()


_STUBBORN = """
import asyncio, sys, time
from pathlib import Path
from scheduler_core.config import Settings
from scheduler_core.runtime import component_process

class Stubborn:
    name, order = "stubborn", 0

    async def run(self, ready, stopping):
        async def swallow():
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    pass

        self.job = asyncio.create_task({job})
        await asyncio.sleep(0.1)
        raise SystemExit(4)

component_process._LEFTOVER_SECONDS = 0.3
settings = Settings.of(state_dir=Path("/nowhere"))
sys.exit(component_process._run([Stubborn()], settings, component_process.Announcement(settings), lambda: settings))
"""


@pytest.mark.parametrize("job", ["swallow()", "asyncio.to_thread(time.sleep, 3600)"])
def test_run_components_leaves_without_jobs_that_do_not_end(job: str) -> None:
    """A coroutine that swallows its cancellation, or a thread that hangs, does not keep the process from ending."""
    done = subprocess.run(
        [sys.executable, "-c", _STUBBORN.format(job=job)], capture_output=True, text=True, timeout=30, check=False
    )

    assert done.returncode == 1
    assert "Some jobs do not end" in done.stderr


_BRIEF = """
import asyncio, gc
from pathlib import Path
from scheduler_core.config import Settings
from scheduler_core.runtime import component_process
from scheduler_core.runtime.component_registry import Selection

class Brief:
    name, order = "brief", 0

    async def run(self, ready, stopping):
        print(gc.get_freeze_count() > 0)
        ready("here")
        await asyncio.sleep(0.2)
        print(gc.get_freeze_count() > 1000)

component_process.load_settings = lambda *_, **__: Settings.of(state_dir=Path({state!r}))
component_process.select_components = lambda *_: Selection([lambda _: Brief()], [])
before = gc.get_threshold()[0]
component_process.run_components()
print(gc.get_threshold()[0] > before)
"""


def test_what_a_started_process_holds_is_spared_by_the_garbage_collector(tmp_path: Path) -> None:
    """From when it is ready, and not before: a full collection must not hold up those that it serves."""
    done = subprocess.run(
        [sys.executable, "-c", _BRIEF.format(state=str(tmp_path))],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stdout.split() == ["False", "True", "True"], done.stderr


_NOTIFYING = """
import asyncio, os, sys
from pathlib import Path
from scheduler_core.config import Settings
from scheduler_core.runtime import component_process

class Working:
    name, order = "working", 0

    def is_working(self):
        return True

    async def run(self, ready, stopping):
        ready("here")
        print("NOTIFY_SOCKET" in os.environ, flush=True)
        await stopping.wait()

settings = Settings.of(state_dir=Path(sys.argv[1]))
sys.exit(component_process._run([Working()], settings, component_process.Announcement(settings), lambda: settings))
"""


def test_run_components_tells_the_service_manager(tmp_path: Path) -> None:
    """Ready, alive, reloading and stopping are told as they happen, and nothing started here can tell them."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        told: list[str] = []

        def hear(first: str) -> None:
            deadline = time.monotonic() + 20
            while not (told and told[-1].startswith(first)):
                assert time.monotonic() < deadline, f"not told: {first!r}; but {told}"
                told.append(manager.recv(4096).decode())

        with subprocess.Popen(
            [sys.executable, "-c", _NOTIFYING, str(tmp_path)],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"},
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        ) as process:
            try:
                hear("READY=1\nSTATUS=here")
                hear("WATCHDOG=1")
                process.send_signal(signal.SIGHUP)
                hear("RELOADING=1")
                hear("READY=1")
                process.send_signal(signal.SIGTERM)
                hear("STOPPING=1")
                assert process.wait(20) == 0
            finally:
                process.kill()
            assert process.stdout is not None
            assert process.stdout.read() == "False\n"
