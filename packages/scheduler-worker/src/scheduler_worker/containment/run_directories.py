"""A private directory for each run, and the list of who has made them."""

import contextlib
import os
import queue
import shutil
import tempfile
import threading
from pathlib import Path

import msgspec

from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_worker.containment.tree_removal import remove_tree

OWNER_FILE = "owner.json"
REPORT_FIFO = "report"


class Owner(msgspec.Struct, frozen=True):
    """The process that a worker's directory belongs to, and the token of its programs."""

    process: ProcessIdentity
    token: str
    group_path: str = ""


class RunDirectory:
    """The directory of one attempt, mode 0700, with the pipe that its job reports through."""

    def __init__(self, path: Path, report: int) -> None:
        self.path = path
        self.report = report
        """Where to read what the job reports; never at its end, because this process holds it open for writing."""

    @property
    def report_path(self) -> Path:
        """Where the job writes its reports."""
        return self.path / REPORT_FIFO

    def close_report(self) -> None:
        """No more is read."""
        if self.report >= 0:
            os.close(self.report)
            self.report = -1

    def remove(self) -> None:
        """Remove it with all that is in it, also what the job has made unreadable."""
        with contextlib.suppress(OSError):
            # Most jobs leave nothing.
            self.report_path.unlink(missing_ok=True)
            self.path.rmdir()
            return
        remove_tree(str(self.path))


class RunDirectories:
    """The directories of one process's runs, in one of its own. `base` may be set before the first is made."""

    def __init__(self, token: str) -> None:
        self.base = Path(tempfile.gettempdir()) / f"scheduler-runs-{os.geteuid()}"
        self._token = token
        self._is_made = False
        self._group_path = ""
        self._discarded: queue.SimpleQueue[RunDirectory] = queue.SimpleQueue()
        self._remover: threading.Thread | None = None

    @property
    def own(self) -> Path:
        """The directory of this process."""
        return self.base / f"{os.getpid()}-{self._token}"

    def make(self, name: str, uid: int | None = None, gid: int = -1) -> RunDirectory:
        """A new directory, given to a user where one is named; raises OSError."""
        self._make_own()
        path = self.own / name
        if path.exists():
            # An attempt that was handed back may come again.
            path = self.own / f"{name}-{os.urandom(4).hex()}"
        path.mkdir(mode=0o700)
        report = -1
        try:
            os.mkfifo(path / REPORT_FIFO, 0o600)
            report = os.open(path / REPORT_FIFO, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            if uid is not None:
                os.chown(path / REPORT_FIFO, uid, gid)
                os.chown(path, uid, gid)
        except BaseException:
            if report >= 0:
                os.close(report)
            shutil.rmtree(path, ignore_errors=True)
            raise
        return RunDirectory(path, report)

    def discard(self, directory: RunDirectory) -> None:
        """Have one removed soon; a disk that is busy keeps nobody waiting."""
        directory.close_report()
        self._discarded.put(directory)
        if self._remover is None:
            self._remover = threading.Thread(target=self._remove_discarded, name="run-directories", daemon=True)
            self._remover.start()

    def _remove_discarded(self) -> None:
        while True:
            self._discarded.get().remove()

    def remove(self) -> None:
        """Remove all of this process's."""
        remove_tree(str(self.own))
        self._is_made = False
        self._group_path = ""

    def note(self, group_path: str) -> None:
        """Write down where the groups of this process are, for who has to clear up after it; raises OSError."""
        self._group_path = group_path
        self._make_place()
        owner = Owner(ProcessIdentity.own(), self._token, group_path)
        # At no moment half of it: what it names could not be found any more.
        written = self.own / f".{OWNER_FILE}"
        written.write_bytes(msgspec.json.encode(owner))
        written.replace(self.own / OWNER_FILE)
        # Not before: nobody would clear up what has no owner.
        self._is_made = True

    def _make_own(self) -> None:
        if not (self._is_made and self.own.is_dir()):
            self.note(self._group_path)

    def _make_place(self) -> None:
        # Users that jobs run as have to pass through, without being able to list.
        with contextlib.suppress(FileExistsError):
            self.base.parent.mkdir(parents=True, exist_ok=True)
            self.base.mkdir()
            self.base.chmod(0o711)
        status = self.base.lstat()
        if status.st_uid != os.geteuid() or not self.base.is_dir() or self.base.is_symlink():
            raise PermissionError(13, f"'{self.base}' belongs to somebody else", str(self.base))
        self.own.mkdir(exist_ok=True)
        self.own.chmod(0o711)
