"""How long retries wait."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.retry_rules import retry_delay_seconds
from scheduler_core.models import RetryPolicy

POLICIES = st.builds(
    RetryPolicy,
    delay_seconds=st.floats(0, 604_800),
    multiplier=st.floats(1, 100),
    max_delay_seconds=st.floats(0, 604_800),
    jitter=st.floats(0, 1),
)


@given(policy=POLICIES, failures=st.integers(0, 10_000), seed=st.integers(0, 1000))
def test_retry_delay_seconds_stays_within_its_bounds(policy: RetryPolicy, failures: int, seed: int) -> None:
    """A delay is never negative, never above the cap by more than the jitter, and never overflows."""
    delay = retry_delay_seconds(policy, failures, random.Random(seed))
    assert 0 <= delay <= policy.max_delay_seconds * (1 + policy.jitter)


@given(policy=POLICIES, failures=st.integers(0, 200))
def test_retry_delay_seconds_grows_to_the_cap(policy: RetryPolicy, failures: int) -> None:
    """Without jitter a later retry never waits less than an earlier one."""
    steady = RetryPolicy(policy.delay_seconds, policy.multiplier, policy.max_delay_seconds, 0.0)
    rng = random.Random(0)
    assert retry_delay_seconds(steady, failures, rng) <= retry_delay_seconds(steady, failures + 1, rng)


def test_retry_delay_seconds_doubles_by_default() -> None:
    """The defaults wait about 10, 20, 40 seconds, varied by a tenth and not all alike."""
    rng = random.Random(7)
    delays = [retry_delay_seconds(RetryPolicy(), failures, rng) for failures in (0, 1, 2)]
    assert delays == [pytest.approx(10, rel=0.1), pytest.approx(20, rel=0.1), pytest.approx(40, rel=0.1)]
    assert len({retry_delay_seconds(RetryPolicy(), 0, rng) for _ in range(10)}) == 10
