"""Loads the fixture modules and marks every test by the folder it lives in."""

import os
import sys
from pathlib import Path

import hypothesis
import pytest

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests as unit, integration or e2e by their folder."""
    root = Path(__file__).parent
    for item in items:
        kind = item.path.relative_to(root).parts[0]
        if kind in _KINDS:
            item.add_marker(getattr(pytest.mark, kind))
