"""Loads the fixture modules and marks every test by the folder it lives in."""

import os
import sys
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it says nothing of its types

# How long an example takes says nothing on a busy machine; timings are the benchmarks' matter.
hypothesis.settings.register_profile("scheduler", deadline=None)
hypothesis.settings.load_profile("scheduler")

# Without its bytecode, every process that a test starts would compile all that it imports again: most of its start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = [
    "fixtures.clock",
    # Before database, which imports it.
    "fixtures.pgbouncer",
    "fixtures.database",
    "fixtures.tcp_proxy",
    "fixtures.broker",
    "fixtures.processes",
    "fixtures.redis_server",
    "fixtures.documentation",
    "fixtures.query_change",
    "fixtures.site",
    "fixtures.stepped_clock",
]

_KINDS = ("unit", "integration", "e2e")
_ONE_AFTER_ANOTHER = ("test_one_host_page", "test_two_hosts_page", "test_pooler_page", "test_message_queues_page")
"""Pages that build into the checkout, or whose servers have the ports that the pages name."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as unit, integration or e2e by their folder."""
    root = Path(__file__).parent
    for item in items:
        kind = item.path.relative_to(root).parts[0]
        if kind in _KINDS:
            item.add_marker(getattr(pytest.mark, kind))


class OneByOne(LoadScopeScheduling):  # type: ignore[misc]  # the plugin has no types
    """Each test goes to whoever is free, but for those that must not meet.

    The plugin's own groups stand in names of tests that this pytest does not let it change.
    """

    def _split_scope(self, nodeid: str) -> str:
        name = nodeid.rpartition("::")[2]
        return "one after another" if name.startswith(_ONE_AFTER_ANOTHER) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """With --dist loadgroup tests are spread one by one, else as the plugin does it."""
    return OneByOne(config, log) if config.getvalue("dist") == "loadgroup" else None
