"""Caps of jobs."""

import pytest

from scheduler_core.decisions.job_caps import cap_amounts, caps_problems
from scheduler_core.decisions.parameter_rules import check_parameters


def test_cap_amounts_are_bytes_and_numbers() -> None:
    """Sizes are understood as people write them; other caps are whole numbers."""
    caps = {"memory": "512MB", "file_size": 4096, "cpu_seconds": 60, "processes": 10, "open_files": 64.0}

    assert list(caps_problems(caps)) == []
    assert cap_amounts(caps) == {
        "memory": 512 * 1024**2, "file_size": 4096, "cpu_seconds": 60, "processes": 10, "open_files": 64,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("caps", "words"),
    [
        ("512MB", "caps is an object such as {memory: 512MB, cpu_seconds: 60}, not '512MB'."),
        ({"ram": 1}, "caps has no 'ram'."),
        ({"open_file": 9}, "Did you mean open_files?"),
        ({"memory": "lots"}, "caps.memory: 'lots' is no size."),
        ({"memory": "1KB"}, "caps.memory is '1KB'. Give at least 1048576, or leave it out for no limit."),
        ({"cpu_seconds": "60"}, "caps.cpu_seconds: '60' is not a whole number."),
        ({"cpu_seconds": 0.5}, "caps.cpu_seconds: 0.5 is not a whole number."),
        ({"processes": True}, "caps.processes: True is not a whole number."),
        ({"file_size": float("inf")}, "caps.file_size: inf is not a size such as 512MB."),
    ],
)
def test_caps_problems_name_the_cap(caps: object, words: str) -> None:
    """What is wrong is told with the cap, the value and the remedy."""
    (problem,) = caps_problems(caps)

    assert words in problem


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("caps", {"memory": "x"}, "caps.memory: 'x' is no size."),
        ("run_as", 5, "run_as is a string, not a number."),
        ("run_as", "", "run_as is empty or contains a NUL character."),
        ("nice", 20, "nice is 20. Give a whole number from 0 to 19"),
        ("nice", -1, "nice is -1."),
        ("nice", True, "nice is True."),
    ],
)
def test_check_parameters_looks_at_what_contains_a_job(key: str, value: object, words: str) -> None:
    """Caps, user and niceness are checked when the task is made."""
    (problem,) = check_parameters("shell", {"command": ["true"], key: value})

    assert problem.field == f"parameters.{key}"
    assert words in problem.message
