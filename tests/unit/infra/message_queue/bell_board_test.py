"""Bells ring at their address and say whether they can be reached."""

from scheduler_infra.message_queue.bell_board import BellBoard


async def test_set_connected_rings_only_bells_that_were_silent() -> None:
    """A bell rings when it becomes reachable, and not again while it stays so."""
    board = BellBoard()
    bell = board.add("a")
    board.set_connected({"a"})
    assert bell.is_connected
    assert await bell.wait(0)
    board.set_connected({"a", "b"})
    assert not await bell.wait(0)
    board.set_connected(())
    assert not bell.is_connected
    assert not await bell.wait(0)


async def test_add_at_a_reachable_address_is_connected_at_once() -> None:
    """A second bell at an address that is listened at already does not wait for the next reconnection."""
    board = BellBoard()
    board.add("a")
    board.set_connected({"a"})
    assert board.add("a").is_connected


async def test_remove_keeps_the_other_bells_of_an_address() -> None:
    """An address is listened at until its last bell is gone."""
    board = BellBoard()
    first, second = board.add("a"), board.add("a")
    board.remove("a", first)
    assert board.addresses == {"a"}
    board.ring("a")
    assert await second.wait(0)
    assert not await first.wait(0)
    board.remove("a", second)
    assert board.addresses == frozenset()
    board.ring("a")
