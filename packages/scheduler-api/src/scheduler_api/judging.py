"""Judging of large definitions aside, so that other requests are served meanwhile."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

SMALL_BYTES = 16_384
"""What a definition without a schema may take as JSON to be judged at once."""

ResultT = TypeVar("ResultT")


async def judged(work: Callable[[], ResultT], *documents: Any) -> ResultT:
    """What `work` gives for these documents: in a thread where they are large, or a schema is to be judged."""
    if _is_small(documents):
        return work()
    return await asyncio.to_thread(work)


def _is_small(documents: tuple[Any, ...]) -> bool:
    if any(isinstance(each, dict) and each.get("parameters_schema") is not None for each in documents):
        return False
    try:
        return len(msgspec.json.encode(documents)) <= SMALL_BYTES
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
