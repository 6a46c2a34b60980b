"""The fake message queue keeps the contract of the real ones."""

import pytest

from fixtures.contracts.message_queue_contract import MessageQueueContract
from fixtures.in_memory_message_queue import InMemoryMessageQueue, InMemoryWire
from scheduler_core.interfaces import MessageQueue


class InMemoryBroker:
    """A wire and the faults that the contract causes on it."""

    def __init__(self) -> None:
        self.wire = InMemoryWire()

    def open_queue(self) -> MessageQueue:
        """A queue on the wire."""
        return InMemoryMessageQueue(self.wire)

    async def put_on_wire(self, address: str, payload: bytes) -> None:
        """Deliver bytes."""
        self.wire.deliver(address, payload)

    async def cut(self) -> None:
        """Down and up."""
        self.wire.go_down()
        self.wire.come_back()

    async def go_away(self) -> None:
        """Down."""
        self.wire.go_down()

    async def come_back(self) -> None:
        """Up."""
        self.wire.come_back()


class TestInMemoryMessageQueue(MessageQueueContract):
    """The contract on the fake."""

    @pytest.fixture
    def broker(self) -> InMemoryBroker:
        """A wire of its own for each test."""
        return InMemoryBroker()
