"""The two checkouts that `make bench-guard` compares, each with an environment and a system of its own."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
HERE, BEFORE = "this checkout", "the commit before"
_SYNC_SECONDS_MAX = 40


class SideError(Exception):
    """One side cannot be measured."""

    def __init__(self, side: str, reason: str) -> None:
        super().__init__(f"{side} {reason}")
        self.side = side


class Side:
    """A system in a process of its own, which measures when it is told."""

    def __init__(self, name: str, python: Path) -> None:
        self.name = name
        # The same measuring code for both; what is measured is what that Python has installed.
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        self._process = subprocess.Popen(
            [str(python), "-m", "benchmarks.guard_side"],
            env=environment,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def answer(self) -> str:
        """Its next line; raises SideError when it has ended instead."""
        assert self._process.stdout is not None
        if line := self._process.stdout.readline():
            return line
        raise SideError(self.name, f"ended with exit code {self._process.wait()}")

    def measure(self, workload: str) -> list[str]:
        """The lines of its figures."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{workload}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise SideError(self.name, f"ended with exit code {self._process.wait()}") from None
        return list(iter(self.answer, ".\n"))

    def stop(self) -> None:
        """Tell it to end at once."""
        self._process.terminate()

    def leave(self) -> None:
        """Tell it that nothing more will be asked."""
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def end(self) -> None:
        """Return when it has ended, and all that it has started; it is told to leave before."""
        for remind in (self._process.terminate, self._process.kill, lambda: None):
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                remind()


@contextlib.contextmanager
def running_sides(revision: str) -> Iterator[list[Side]]:
    """This checkout and that revision, ready to measure; raises SideError when one is not."""
    with TemporaryDirectory(prefix="scheduler-guard-", dir="/tmp", ignore_cleanup_errors=True) as directory:
        python = _installed(revision, Path(directory))
        sides: list[Side] = []
        try:
            for name, each in ((HERE, Path(sys.executable)), (BEFORE, python)):
                sides.append(Side(name, each))
            wait_for(sides)
            yield sides
        except BaseException:
            for side in sides:
                side.stop()
            raise
        finally:
            for side in sides:
                side.leave()
            for side in sides:
                side.end()


def wait_for(sides: Sequence[Side]) -> None:
    """Return when all are ready; raises a SideError, that of this checkout only where the other one is."""
    errors = []
    for side in sides:
        try:
            side.answer()
        except SideError as error:
            errors.append(error)
    if errors:
        raise errors[-1]


def _installed(revision: str, directory: Path) -> Path:
    """The Python of an environment with that revision."""
    with subprocess.Popen(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", str(directory)], stdin=archive.stdout, check=True, timeout=60)
    uv = subprocess.run(
        ["bash", ".ci/find_uv.sh"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "PYTHONPATH")}
    # With a limit for all that make starts.
    command = ["timeout", "--kill-after=5", str(_SYNC_SECONDS_MAX), "make", "sync", f"UV={ROOT / uv}"]
    done = subprocess.run(command, cwd=directory, env=kept, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip()[-500:] or f"exit code {done.returncode}"
        raise SideError(BEFORE, f"cannot be built: make sync of {revision} failed: {reason}")
    return directory / ".venv" / "bin" / "python"
