"""Exit codes."""

import pytest

from scheduler_core.errors import (
    AlreadyExistsError,
    ConfigError,
    ConflictError,
    InvalidInputError,
    SchedulerError,
    StoreUnavailableError,
    TaskNotFoundError,
    TaskRunStateError,
)
from scheduler_core.runtime.exit_code import exit_code_of


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SchedulerError("x"), 1),
        (ValueError("x"), 1),
        (ConfigError("x"), 2),
        (InvalidInputError.of("a", "b"), 2),
        (TaskNotFoundError("x"), 3),
        (ConflictError("x"), 5),
        (AlreadyExistsError("x"), 5),
        (TaskRunStateError(1, "RUNNING", "retried"), 5),
        (StoreUnavailableError("x"), 6),
    ],
)
def test_exit_code_of_follows_the_documented_table(error: Exception, code: int) -> None:
    """Scripts can tell kinds of failure apart."""
    assert exit_code_of(error) == code
