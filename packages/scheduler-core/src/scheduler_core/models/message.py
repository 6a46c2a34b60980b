"""Rings: messages that say 'look', and carry no command, no content and no authority."""

import msgspec

RING_VERSION = 1

DISPATCHERS = "dispatchers"
"""The address that all dispatchers share: one of them hears each ring."""


def session_address(session_id: int) -> str:
    """The address at which one worker session is rung.

    >>> session_address(7)
    'session-7'
    """
    return f"session-{session_id}"


class CommitRing(msgspec.Struct, frozen=True):
    """How a statement of the store rings sessions by itself, heard when it is committed.

    It notifies the channel `channel_prefix` followed by the id of the session.
    """

    channel_prefix: str
    payload: str


class Ring(msgspec.Struct, frozen=True, tag_field="ring", tag="look", omit_defaults=True):
    """One ring. Losing, doubling, reordering or forging it changes latency only.

    Readers ignore fields they do not know and drop rings of a greater `version`.
    """

    version: int = RING_VERSION
