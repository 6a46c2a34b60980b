"""One measurement of a comparison, in a process of its own: whatever becomes of it, the comparison goes on."""

import json
import os
import signal
import subprocess
from collections.abc import Sequence

from benchmarks.comparison import Turn
from benchmarks.peers.environments import ROOT
from benchmarks.results import error_line, read_results

_TURN_SECONDS_MAX = 900.0
_END_SECONDS_MAX = 180.0
"""What a measurement may take to end its processes once it has been told to end."""


def measured(turn: Turn, command: Sequence[str], seconds_max: float = _TURN_SECONDS_MAX) -> list[str]:
    """The lines that a measurement in a process of its own prints, and one with the error when it fails.

    One that takes longer is told to end what it has started, and gives nothing but the error.
    """
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C is for us: we end it, and wait until it has ended what it started.
        start_new_session=True,
    ) as process:
        try:
            output, told = process.communicate(timeout=seconds_max)
            reason = (told.strip()[-500:] or f"it ended with {process.returncode}") if process.returncode else ""
        except subprocess.TimeoutExpired:
            output, reason = "", f"not within {seconds_max:g} s"
        finally:
            _end(process)
    lines = [_of_repetition(line, turn) for line in output.splitlines()]
    if reason and not any(result.error for result in read_results(lines)):
        lines.append(error_line(turn.workload, reason, turn.repetition, system=turn.system))
    return lines


def _of_repetition(line: str, turn: Turn) -> str:
    """Each process counts from one."""
    return json.dumps({**json.loads(line), "repetition": turn.repetition})


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
