"""How long a failed run waits before it is tried again."""

import math
import random

from scheduler_core.models import RetryPolicy


def retry_delay_seconds(policy: RetryPolicy, failures: int, random: random.Random) -> float:
    """Seconds to wait: delay x multiplier^failures, capped, then varied by up to `jitter` either way.

    `failures` counts those before the one that asks, so the first retry waits `delay_seconds`. Never negative,
    and never more than max_delay_seconds x (1 + jitter).

    >>> import random
    >>> policy = RetryPolicy(delay_seconds=10, multiplier=3, max_delay_seconds=60, jitter=0)
    >>> [retry_delay_seconds(policy, failures, random.Random(1)) for failures in range(4)]
    [10.0, 30.0, 60.0, 60.0]
    """
    delay = min(_grown(policy, failures), policy.max_delay_seconds)
    return max(0.0, delay * (1.0 + policy.jitter * random.uniform(-1.0, 1.0)))


def _grown(policy: RetryPolicy, failures: int) -> float:
    if policy.delay_seconds <= 0:
        return 0.0
    try:
        return policy.delay_seconds * math.pow(policy.multiplier, failures)
    except OverflowError:
        return math.inf
