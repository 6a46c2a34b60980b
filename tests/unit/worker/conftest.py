"""What the worker's unit tests share."""

import pytest

from fixtures.worker import CollectedOutput, make_context
from scheduler_core.interfaces import RunContext


@pytest.fixture
def output() -> CollectedOutput:
    """Where a run's output goes."""
    return CollectedOutput()


@pytest.fixture
def context() -> RunContext:
    """A run that may take half a minute."""
    return make_context()
