"""What an address names."""

import pytest

from scheduler_api.task_reference import parse_run_id, parse_task_reference
from scheduler_core.errors import TaskNotFoundError, TaskRunNotFoundError


@pytest.mark.parametrize(("text", "reference"), [("12", 12), ("report", "report"), ("12a", "12a"), ("ü 1", "ü 1")])
def test_parse_task_reference_tells_ids_from_names(text: str, reference: int | str) -> None:
    """Digits are an id, anything else is a name."""
    assert parse_task_reference(text, "default") == reference


@pytest.mark.parametrize("text", ["9" * 19, "1" * 5000, "²", "٣", "a\0b", "x" * 256])
def test_parse_task_reference_knows_what_no_task_is_called(text: str) -> None:
    """What the database could not even be asked for does not exist."""
    with pytest.raises(TaskNotFoundError):
        parse_task_reference(text, "default")


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", "x", "٣", "9" * 19])
def test_parse_run_id_takes_digits_alone(text: str) -> None:
    """What is no id names no run."""
    with pytest.raises(TaskRunNotFoundError):
        parse_run_id(text)
