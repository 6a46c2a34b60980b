"""Trust in a lease."""

from fixtures.clock import FrozenClock
from scheduler_worker.lease import Lease


def test_seconds_left_counts_from_the_request(frozen_clock: FrozenClock) -> None:
    """Trust ends at the request plus lease minus margin, however late the answer came."""
    lease = Lease(30.0, frozen_clock.monotonic())
    requested_at = frozen_clock.monotonic()
    frozen_clock.advance(20.0)

    lease.renewed(requested_at)

    assert lease.seconds_left(frozen_clock.monotonic()) == 7.0
    frozen_clock.advance(7.0)
    assert lease.seconds_left(frozen_clock.monotonic()) == 0.0


def test_renewed_never_shortens(frozen_clock: FrozenClock) -> None:
    """An answer to an older request changes nothing."""
    before = frozen_clock.monotonic()
    frozen_clock.advance(5.0)
    lease = Lease(30.0, frozen_clock.monotonic())

    lease.renewed(before)

    assert lease.seconds_left(frozen_clock.monotonic()) == 27.0


def test_lose_is_for_good(frozen_clock: FrozenClock) -> None:
    """A lost lease is not trusted again, whatever is answered later."""
    lease = Lease(30.0, frozen_clock.monotonic())
    lease.lose()

    lease.renewed(frozen_clock.monotonic())

    assert lease.is_lost
    assert lease.seconds_left(frozen_clock.monotonic()) == 0.0


def test_follow_tells_when_everything_has_to_die() -> None:
    """Whoever kills hears it at once and at each renewal: after trust has ended, with half of the margin left."""
    lease = Lease(10.0, 100.0)
    told: list[float] = []

    lease.follow(told.append)
    lease.renewed(103.0)
    lease.renewed(101.0)
    lease.lose()
    lease.renewed(105.0)

    assert told == [109.5, 112.5, 112.5]
