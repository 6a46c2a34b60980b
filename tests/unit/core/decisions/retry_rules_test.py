"""How long retries wait."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.retry_rules import next_delay_seconds, retry_delay_seconds
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import RetryPolicy, TaskRunStatus

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


def failed(**known: Any) -> RunOutcome:
    """A failure of which this is known."""
    return RunOutcome(status=TaskRunStatus.FAILED, error="no", **known)


@pytest.mark.parametrize(
    ("policy", "outcome", "delay"),
    [
        (RetryPolicy(jitter=0), failed(), 10.0),
        (RetryPolicy(jitter=0), failed(retryable=False), None),
        (RetryPolicy(jitter=0), RunOutcome(status=TaskRunStatus.SKIPPED), None),
        (RetryPolicy(jitter=0, on_exit_codes=(75,)), failed(exit_code=75), 10.0),
        (RetryPolicy(jitter=0, on_exit_codes=(75,)), failed(exit_code=1), None),
        (RetryPolicy(jitter=0, on_exit_codes=(75,)), failed(), None),
        (RetryPolicy(jitter=0, on_exit_codes=(75,)), RunOutcome(status=TaskRunStatus.TIMEOUT), 10.0),
        (RetryPolicy(jitter=0, on_exit_codes=(75,), on_statuses=(503,)), failed(http_status=503), 10.0),
        (RetryPolicy(jitter=0, on_exceptions=("OSError",)), failed(exception_types=("a.B", "builtins.OSError")), 10.0),
        (RetryPolicy(jitter=0, on_exceptions=("a.B",)), failed(exception_types=("a.B",)), 10.0),
        (RetryPolicy(jitter=0, on_exceptions=("c.B",)), failed(exception_types=("a.B",)), None),
        (RetryPolicy(jitter=0, on_output=("reset",)), failed(output_end="x\nconnection reset by peer\n"), 10.0),
        (RetryPolicy(jitter=0, on_output=("reset",)), failed(output_end="refused"), None),
        (RetryPolicy(jitter=0, on_exit_codes=(75,)), failed(retry_after_seconds=3.0), 3.0),
        (RetryPolicy(jitter=0), failed(retry_after_seconds=3.0, retryable=False), None),
    ],
)
def test_core_unit_next_delay_seconds_by_condition(
    policy: RetryPolicy, outcome: RunOutcome, delay: float | None
) -> None:
    """Useless is useless, what the job asks for comes before conditions, and a time-out needs none."""
    assert next_delay_seconds(policy, outcome, 0, random.Random(1)) == delay
