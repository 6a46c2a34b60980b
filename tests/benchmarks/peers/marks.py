"""When jobs began: a file that all processes of a measurement map, with a slot of eight bytes for each job."""

import functools
import mmap
import os
import time
from pathlib import Path

SLOTS = 65_536
_VARIABLE = "PEER_MARKS"


class Marks:
    """The slots, in seconds since 1970; 0 where no job has begun."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._slots = memoryview(mmap.mmap(file.fileno(), SLOTS * 8)).cast("q")

    @classmethod
    def create(cls, path: Path) -> "Marks":
        """Make the file, and let this process and those that it starts find it."""
        path.write_bytes(bytes(SLOTS * 8))
        os.environ[_VARIABLE] = str(path)
        return cls(path)

    def set(self, index: int) -> None:
        """This job begins now."""
        self._slots[index] = time.time_ns()

    def count(self, jobs: int) -> int:
        """How many of the first `jobs` have begun."""
        return jobs - self._slots[:jobs].tolist().count(0)

    def times(self, jobs: int) -> list[float]:
        """When each of the first `jobs` began, those left out that have not."""
        return [slot / 1e9 for slot in self._slots[:jobs].tolist() if slot]

    def time(self, index: int) -> float:
        """When this job began."""
        return self._slots[index] / 1e9

    def clear(self) -> None:
        """Forget all."""
        self._slots[:] = memoryview(bytes(SLOTS * 8)).cast("q")


@functools.cache
def shared_marks() -> Marks:
    """The marks of the measurement that this process belongs to."""
    return Marks(Path(os.environ[_VARIABLE]))


def mark(index: int) -> None:
    """What a job of every system does."""
    shared_marks().set(index)


def mark_due(index: int, due: float) -> None:
    """What a scheduled job does: only its first start at or after the moment when all fall due is of interest."""
    marks = shared_marks()
    if time.time() >= due and not marks.time(index):
        marks.set(index)
