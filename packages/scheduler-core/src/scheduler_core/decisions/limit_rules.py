"""How many more runs a limit's key lets start, and which of some runs get permits of all of their keys."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from scheduler_core.models import LimitKeyState


class Grants(NamedTuple):
    """Which runs start, which do not, and what is left of each rate that was drawn from, by key."""

    granted: tuple[int, ...]
    refused: tuple[int, ...]
    tokens: dict[int, float]


def capacity(key: LimitKeyState) -> float:
    """How many starts its bucket holds; infinite without a rate."""
    if key.rate is None:
        return math.inf
    return float(key.burst if key.burst is not None else key.rate)


def tokens_at(key: LimitKeyState, now: datetime) -> float:
    """How many starts its rate has left: a token bucket that fills evenly; infinite without a rate.

    So any stretch of T seconds has at most burst + rate x T / rate_seconds starts. A clock that was set back fills
    nothing.
    """
    if key.rate is None or key.tokens is None or key.refilled_at is None:
        return capacity(key)
    elapsed = max(0.0, (now - key.refilled_at).total_seconds())
    return min(capacity(key), key.tokens + elapsed * key.rate / key.rate_seconds)


def is_idle(key: LimitKeyState) -> bool:
    """Whether it is as one that was never used: no run holds a permit of it, and its bucket is full."""
    return key.running == 0 and tokens_at(key, key.now) >= capacity(key)


def headroom(key: LimitKeyState) -> float:
    """How many runs of it may start now, those that are claimable among them; infinite where nothing bounds it.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> headroom(LimitKeyState(id=1, now=noon, concurrent=3, running=1))
    2
    >>> headroom(LimitKeyState(id=1, now=noon, concurrent=9, rate=2, tokens=0.5, refilled_at=noon))
    0
    """
    starts = tokens_at(key, key.now)
    places = math.inf if key.concurrent is None else max(0, key.concurrent - key.running)
    return min(places, starts if math.isinf(starts) else math.floor(starts))


def seconds_to_start(key: LimitKeyState, already: int = 0) -> float | None:
    """Seconds until its rate lets one more run start, after `already` that will; None when nothing waits for it."""
    if key.rate is None:
        return None
    tokens = tokens_at(key, key.now) - already
    return None if tokens >= 1 else (1 - tokens) * key.rate_seconds / key.rate


def grant(
    runs: Sequence[tuple[int, Sequence[int]]], keys: Mapping[int, LimitKeyState], at_most: int | None = None
) -> Grants:
    """Give permits to runs, (id, keys) in their order: each gets one of every key of it, or none at all.

    A run that is refused does not hold up those after it. Once `at_most` have theirs the others are neither granted nor
    refused. Keys that are not known are of limits that were deleted.
    """
    left = {key_id: headroom(key) for key_id, key in keys.items()}
    granted: list[int] = []
    refused: list[int] = []
    starts: Counter[int] = Counter()
    for run_id, wanted in runs:
        if at_most is not None and len(granted) >= at_most:
            break
        known = [key_id for key_id in wanted if key_id in left]
        if any(left[key_id] < 1 for key_id in known):
            refused.append(run_id)
            continue
        granted.append(run_id)
        for key_id in known:
            left[key_id] -= 1
            starts[key_id] += 1
    tokens = {
        key_id: tokens_at(keys[key_id], keys[key_id].now) - count
        for key_id, count in starts.items()
        if keys[key_id].rate is not None
    }
    return Grants(tuple(granted), tuple(refused), tokens)
