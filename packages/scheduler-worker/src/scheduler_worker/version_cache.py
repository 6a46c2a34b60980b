"""Task versions, which never change."""

from collections.abc import Mapping, Set

from scheduler_core.interfaces import Store
from scheduler_core.models import TaskVersion


class VersionCache:
    """Task versions by id, read in batches when first needed; keeps about `size_max` of the latest read."""

    def __init__(self, size_max: int = 10_000) -> None:
        self._size_max = size_max
        self._versions: dict[int, TaskVersion] = {}

    async def get(self, store: Store, ids: Set[int]) -> Mapping[int, TaskVersion]:
        """The versions with these ids, and perhaps others; ids that do not exist are left out."""
        missing = ids - self._versions.keys()
        if missing:
            async with store.autocommit() as work:
                read = await work.task_runs.versions(sorted(missing))
            if len(self._versions) + len(read) > self._size_max:
                self._versions = {key: version for key, version in self._versions.items() if key in ids}
            self._versions.update((version.id, version) for version in read)
        return self._versions
