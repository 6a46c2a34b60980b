"""Who runs on this host for a state directory, and what they are asked: `{state_dir}/processes`, for its owner alone.

A process has a record there for as long as it lives, and holds a lock on it, which ends with it however it ends. A
request is an empty file beside the record; the process takes it away before it reads its configuration, and leaves its
answer in another file.
"""

import contextlib
import fcntl
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from scheduler_core.runtime.process_identity import ProcessIdentity, boot_id_here, is_dead
from scheduler_core.runtime.reload_answer import ReloadAnswer

StructT = TypeVar("StructT", bound=msgspec.Struct)


class ProcessRecord(msgspec.Struct, frozen=True):
    """A process and the names of its components; `hears_hangup` is false for one that ignores SIGHUP."""

    process: ProcessIdentity
    components: tuple[str, ...]
    hears_hangup: bool = True

    @property
    def stem(self) -> str:
        """What the names of its files begin with."""
        return f"{self.process.pid}-{self.process.started_at}"

    @property
    def is_here(self) -> bool:
        """Whether signals sent from this process reach it: not from another host or container."""
        return self.process.boot_id == boot_id_here()


class ProcessFolder:
    """The records, requests and answers of a state directory. Every method raises OSError as the file system does."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "processes"

    @contextlib.contextmanager
    def entered(self, record: ProcessRecord) -> Iterator[None]:
        """Keep the record there until the context is left."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        descriptor = self._write(f"{record.stem}.json", record)
        try:
            yield
        finally:
            self._remove(record.stem)
            os.close(descriptor)

    def records(self) -> list[ProcessRecord]:
        """The processes that live, by their ids; what dead ones left behind is removed."""
        found = []
        try:
            # Unlike glob, this tells that one may not look.
            paths = [path for path in self.path.iterdir() if path.name[0].isdigit() and path.suffix == ".json"]
        except FileNotFoundError:
            return []
        for path in paths:
            record = _read(path, ProcessRecord)
            if record is None:
                continue
            process = record.process
            if is_dead(process.hostname, process.boot_id, process.pid, process.started_at) or not _is_held(path):
                self._remove(record.stem)
            else:
                found.append(record)
        return sorted(found, key=lambda record: record.process.pid)

    def ask(self, record: ProcessRecord) -> str:
        """Write down a request and return its name; a signal has to follow."""
        token = secrets.token_hex(8)
        (self.path / f"{record.stem}.{token}.request").touch(mode=0o600)
        return token

    def take_requests(self, record: ProcessRecord) -> list[str]:
        """The requests that were written down until now; each is given once."""
        taken = []
        for path in self.path.glob(f"{record.stem}.*.request"):
            path.unlink(missing_ok=True)
            taken.append(path.name.split(".")[1])
        return taken

    def answer(self, record: ProcessRecord, tokens: Sequence[str], answer: ReloadAnswer) -> None:
        """Answer these requests."""
        for token in tokens:
            os.close(self._write(f"{record.stem}.{token}.answer", answer))

    def take_answer(self, record: ProcessRecord, token: str) -> ReloadAnswer | None:
        """The answer to a request, given once; None while there is none."""
        path = self.path / f"{record.stem}.{token}.answer"
        answer = _read(path, ReloadAnswer)
        if answer is not None:
            path.unlink(missing_ok=True)
        return answer

    def lives(self, record: ProcessRecord) -> bool:
        """Whether the process still has its record."""
        return _is_held(self.path / f"{record.stem}.json")

    def forget(self, record: ProcessRecord, token: str) -> None:
        """Nobody waits for this answer any more."""
        for kind in ("request", "answer"):
            (self.path / f"{record.stem}.{token}.{kind}").unlink(missing_ok=True)

    def _write(self, name: str, content: msgspec.Struct) -> int:
        """Write a file in one step; the descriptor returned holds a lock on it."""
        descriptor, temporary = tempfile.mkstemp(prefix=f".{name}-", dir=self.path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(descriptor, msgspec.json.encode(content))
            Path(temporary).replace(self.path / name)
        except BaseException:
            os.close(descriptor)
            Path(temporary).unlink(missing_ok=True)
            raise
        return descriptor

    def _remove(self, stem: str) -> None:
        for path in self.path.glob(f"*{stem}.*"):
            if path.name.lstrip(".").startswith(f"{stem}."):
                path.unlink(missing_ok=True)


def _read(path: Path, kind: type[StructT]) -> StructT | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _is_held(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared: two that look at the same time must not take each other for the process.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
