"""What holds after every end-to-end test, whatever it did."""

from collections.abc import Iterator

import pytest

from fixtures.ledger import assert_ledger_was_clean
from fixtures.processes import SchedulerProcesses


@pytest.fixture(autouse=True)
def clean_ledger(scheduler_processes: SchedulerProcesses) -> Iterator[None]:
    """A test leaves no slot without its entry, and none with two."""
    yield
    assert_ledger_was_clean(scheduler_processes)
