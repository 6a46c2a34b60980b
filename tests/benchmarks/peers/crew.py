"""The worker processes of a measured system: started, weighed, and ended with all that they started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

_STOP_SECONDS = 5.0


class Crew:
    """Processes whose output goes to one file."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, commands: Iterable[list[str]]) -> None:
        """Start each of them in a session of its own."""
        with self._log.open("ab") as output:
            for command in commands:
                self._started.append(
                    subprocess.Popen(
                        command,
                        cwd=self._log.parent,
                        stdin=subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                )

    def stop(self) -> None:
        """End them all: asked first, then killed."""
        for process in self._started:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in self._started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            # What they started is in their session.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._started = []

    def check(self) -> None:
        """Raise RuntimeError when one of them has ended."""
        for process in self._started:
            if process.poll() is not None:
                raise RuntimeError(f"a worker process ended with {process.returncode}: {self.tail()}")

    def tail(self, characters: int = 600) -> str:
        """The end of what they printed."""
        return self._log.read_text(errors="replace")[-characters:] if self._log.exists() else ""

    def cpu_seconds(self) -> float:
        """How long they and all below them have been on a processor, by the kernel's own clock and not by ticks."""
        total = 0
        for pid in self._tree():
            for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError):
                    total += int(thread.read_text().split()[0])
        return total / 1e9

    def memory_mib(self) -> float:
        """Their proportional set size, so that what they share counts once."""
        total = 0
        for pid in self._tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        total += int(line.split()[1])
        return total / 1024

    def _tree(self) -> list[int]:
        found = [process.pid for process in self._started]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += map(int, children.read_text().split())
        return found
