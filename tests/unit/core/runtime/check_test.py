"""Checks in all their shapes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_core.runtime.check import Check, CheckResult, results_of

FINE = CheckResult("x", True, "fine")


def plain(settings: Settings) -> list[CheckResult]:
    """A function that returns a list."""
    return [FINE]


async def waiting(settings: Settings) -> list[CheckResult]:
    """A coroutine that returns a list."""
    return [FINE]


async def generating(settings: Settings) -> AsyncIterator[CheckResult]:
    """An async generator."""
    yield FINE


async def failing(settings: Settings) -> AsyncIterator[CheckResult]:
    """An async generator that fails half way."""
    yield FINE
    raise TimeoutError


@pytest.mark.parametrize("check", [plain, waiting, generating])
async def test_results_of_takes_every_shape(check: Check, tmp_path: Path) -> None:
    """A check may be plain, a coroutine or an async generator."""
    assert [r async for r in results_of("x", check, Settings.of(state_dir=tmp_path))] == [FINE]


async def test_results_of_keeps_what_came_before_a_failure(tmp_path: Path) -> None:
    """What was found is told, and the failure is named even when it has no text."""
    first, second = [r async for r in results_of("x", failing, Settings.of(state_dir=tmp_path))]
    assert first == FINE
    assert (second.ok, second.detail) == (False, "TimeoutError")
