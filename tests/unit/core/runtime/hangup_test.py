"""What SIGHUP means to a process, with and without a terminal."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fixtures.processes import wait_until
from scheduler_core.runtime.process_folder import ProcessFolder
from scheduler_core.runtime.reload_answer import ReloadAnswer

_PROGRAM = """
import sys
from pathlib import Path
from scheduler_core.config import Settings
from scheduler_core.errors import ConfigError
from scheduler_core.runtime import component_process

class Waiting:
    name, order = "waiting", 0

    async def run(self, ready, stopping):
        ready("here")
        await stopping.wait()

def read():
    raise ConfigError("This is what was read.")

settings = Settings.of(state_dir=Path(sys.argv[1]))
sys.exit(component_process._run([Waiting()], settings, component_process.Announcement(settings), read))
"""


@contextmanager
def running(state_dir: Path, prepare: Callable[[], None], descriptor: int) -> Iterator[subprocess.Popen[bytes]]:
    """A process with one component, whose output goes to a descriptor."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(state_dir)],
        stdin=descriptor,
        stdout=descriptor,
        stderr=descriptor,
        start_new_session=True,
        preexec_fn=prepare,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def answer_of(process: subprocess.Popen[bytes], folder: ProcessFolder) -> ReloadAnswer | None:
    """What a process that has entered answers to a hangup."""
    wait_until(lambda: process.poll() is not None or folder.records(), 20, "the process is there")
    (record,) = folder.records()
    token = folder.ask(record)
    process.send_signal(signal.SIGHUP)
    answers: list[ReloadAnswer | None] = []

    def is_settled() -> bool:
        answers.append(folder.take_answer(record, token))
        return answers[-1] is not None or process.poll() is not None

    wait_until(is_settled, 20, "an answer")
    return answers[-1]


def as_usual() -> None:
    """SIGHUP is not ignored, whatever runs the tests."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def ignore() -> None:
    """What nohup does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def test_hangup_reads_the_configuration_again_and_a_stop_stops(tmp_path: Path) -> None:
    """Without a terminal SIGHUP ends nothing, however often it comes."""
    folder = ProcessFolder(tmp_path)
    descriptor = os.open(os.devnull, os.O_RDWR)
    with running(tmp_path, as_usual, descriptor) as process:
        for _ in range(2):
            assert answer_of(process, folder) == ReloadAnswer(refusal="This is what was read.")
        process.terminate()
        assert process.wait(20) == 0
    assert folder.records() == []
    os.close(descriptor)


def test_hangup_of_the_terminal_stops(tmp_path: Path) -> None:
    """While the terminal is there SIGHUP reads again; when it is closed the process ends, and does not go on unseen."""
    folder = ProcessFolder(tmp_path)
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        as_usual()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    with running(tmp_path, take_terminal, theirs) as process:
        os.close(theirs)
        assert answer_of(process, folder) == ReloadAnswer(refusal="This is what was read.")
        os.close(ours)
        assert process.wait(20) == 0


def test_hangup_is_left_ignored_under_nohup(tmp_path: Path) -> None:
    """The process says so, that nobody waits for its answer."""
    folder = ProcessFolder(tmp_path)
    descriptor = os.open(os.devnull, os.O_RDWR)
    with running(tmp_path, ignore, descriptor) as process:
        wait_until(folder.records, 20, "the process is there")
        assert [record.hears_hangup for record in folder.records()] == [False]
        process.send_signal(signal.SIGHUP)
        process.terminate()
        assert process.wait(20) == 0
    os.close(descriptor)
