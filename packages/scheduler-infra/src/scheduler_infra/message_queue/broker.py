"""What a broker outside PostgreSQL has to offer, so that rings can travel over it."""

from collections.abc import Callable, Iterable
from typing import Protocol

Heard = Callable[[str, "bytes | bytearray | memoryview | str"], None]
"""Called with the address and the payload of every message; in the thread of the connection."""

Blocked = Callable[[bool], None]
"""Told that the broker takes nothing from publishers at the moment, or takes it again; in the connection's thread."""


class BrokerLink(Protocol):
    """One open connection, for the one thread that opened it.

    It is never opened again behind its owner's back. Every method may raise anything when the broker is away, and
    returns or raises within the configured time.
    """

    def fileno(self) -> int:
        """The socket to wait for."""

    def read(self) -> None:
        """Deal with everything that has arrived, without waiting for more."""

    def beat(self) -> None:
        """Prove to both sides that the connection lives; raise when the broker has been silent for two heartbeats.

        To be called at least twice a heartbeat.
        """

    def close(self) -> None:
        """Say goodbye to the broker, and close the socket whatever it answers."""

    def drop(self) -> None:
        """Close the socket without a word, for a broker that is not expected to answer. Never raises."""


class RingingLink(BrokerLink, Protocol):
    """A connection that sends rings."""

    def send(self, addresses: Iterable[str]) -> None:
        """Ring each address once, unconfirmed."""


class ListeningLink(BrokerLink, Protocol):
    """A connection that hears rings."""

    def listen(self, addresses: Iterable[str]) -> None:
        """Hear these addresses; what is rung after this returns is heard."""

    def unlisten(self, addresses: Iterable[str]) -> None:
        """Hear these addresses no more."""


class Broker(Protocol):
    """Opens connections to one broker; `name` is what the broker is called on its side."""

    transport: str
    """The kind of broker, as metrics name it."""

    place: str
    """Kind, host and port, for people; without secrets."""

    def ringing(self, name: str, blocked: Blocked) -> RingingLink:
        """A connection for sending."""

    def listening(self, name: str, heard: Heard) -> ListeningLink:
        """A connection for hearing."""

    def check(self, name: str) -> None:
        """Return if the broker takes rings on a new connection; raise whatever says why it does not."""
