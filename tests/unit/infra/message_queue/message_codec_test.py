"""Rings are read strictly and never raise."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.models import RING_VERSION, Ring
from scheduler_infra.message_queue.message_codec import RING_BYTES, RING_BYTES_MAX, RingCounter


def test_read_returns_the_ring_that_is_sent() -> None:
    """What this version sends, it understands, as bytes and as text; it is small and carries nothing."""
    counter = RingCounter()
    assert counter.read(RING_BYTES) == counter.read(RING_BYTES.decode()) == Ring()
    assert RING_BYTES == b'{"ring":"look"}'
    assert (counter.heard, counter.refused) == (2, {})


def test_read_ignores_unknown_fields() -> None:
    """A newer sender may add fields without a new version."""
    assert RingCounter().read(b'{"ring":"look","version":1,"hint":{"runs":5}}') == Ring()


def test_read_refuses_and_counts_by_reason() -> None:
    """What cannot be understood is None and counted, each for its reason."""
    counter = RingCounter()
    for payload in (b"", b"null", b'{"ring":"shout"}', b'{"version":1', b"\xff\xfe", '{"ring":"\ud800"}'):
        assert counter.read(payload) is None
    for version in (RING_VERSION + 1, 0, -1):
        assert counter.read(msgspec.json.encode({"ring": "look", "version": version})) is None
    assert counter.read(b'{"ring":"look","x":"' + b"x" * RING_BYTES_MAX + b'"}') is None
    assert (counter.heard, counter.dropped) == (0, {})
    assert counter.refused == {"garbage": 6, "version": 3, "oversized": 1}


@given(st.one_of(st.binary(max_size=2000), st.text(max_size=2000)))
def test_read_never_raises(payload: bytes | str) -> None:
    """Whatever somebody puts on the wire, reading it returns a ring or None."""
    counter = RingCounter()
    assert counter.read(payload) is not None or counter.refused.total() == 1
