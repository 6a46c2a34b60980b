"""Output cut into entries."""

import tracemalloc
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.clock import FrozenClock
from scheduler_core.models import RunKey, RunProgress
from scheduler_worker.output_pieces import PIECE_BYTES_MAX
from scheduler_worker.output_room import OutputRoom
from scheduler_worker.run_output import BufferedOutput


def make_output(limit_bytes: int = 1_000_000) -> BufferedOutput:
    """The output of run 1, attempt 2."""
    return BufferedOutput(RunKey(1, 2), limit_bytes, FrozenClock().now, lambda output: None)


def taken(output: BufferedOutput) -> list[tuple[int, str, str]]:
    """What can be stored now."""
    return [(entry.sequence, entry.stream, entry.content) for entry in output.take()]


def test_take_keeps_an_open_line_back_once() -> None:
    """Whole lines come at once, a line that is still open with the next take."""
    output = make_output()
    output.write("stdout", b"one\ntwo")

    assert taken(output) == [(1, "stdout", "one\n")]
    assert output.is_waiting
    assert taken(output) == [(2, "stdout", "two")]
    assert not output.is_waiting


def test_take_keeps_the_order_of_streams() -> None:
    """Pieces of both streams come in the order they were written, joined where they follow each other."""
    output = make_output()
    for stream, data in [("stdout", b"a\n"), ("stdout", b"b\n"), ("stderr", b"c\n"), ("stdout", b"d\n")]:
        output.write(stream, data)

    assert taken(output) == [(1, "stdout", "a\nb\n"), (2, "stderr", "c\n"), (3, "stdout", "d\n")]


def test_write_joins_characters_that_were_cut() -> None:
    """A character whose bytes come in two writes is whole; bytes that are no text are replaced, NULs removed."""
    output = make_output()
    output.write("stdout", "ä".encode()[:1])
    output.write("stdout", "ä".encode()[1:] + b"\xff\0x\n")

    assert taken(output) == [(1, "stdout", "ä\N{REPLACEMENT CHARACTER}x\n")]


def test_write_stops_at_the_limit_with_a_marker() -> None:
    """Beyond the limit nothing is kept but a marker, and at the end the number of bytes that were dropped."""
    output = make_output(limit_bytes=5)
    output.write("stdout", b"1234567")
    output.write("stdout", b"89\n")
    output.close()

    assert taken(output) == [
        (1, "stdout", "12345"),
        (
            2,
            "log",
            (
                "[the limit of 5 bytes of output is reached; the rest is not kept]\n"
                "[5 more bytes of output were not kept]\n"
            ),
        ),
    ]


def test_write_after_close_is_ignored() -> None:
    """What a stray thread prints after its run has ended is not stored."""
    output = make_output()
    output.write("stdout", b"in\n")
    output.close()
    output.write("stdout", b"late\n")

    assert taken(output) == [(1, "stdout", "in\n")]


def test_take_cuts_what_is_too_long() -> None:
    """No entry is longer than its limit, with or without line ends."""
    output = make_output()
    output.write("stdout", b"x" * (2 * PIECE_BYTES_MAX + 1))
    output.close()

    assert [len(content) for _, _, content in taken(output)] == [PIECE_BYTES_MAX, PIECE_BYTES_MAX, 1]


def test_take_cuts_long_output_at_line_ends() -> None:
    """What is longer than an entry is cut after a line where there is one."""
    output = make_output()
    line = b"x" * 999 + b"\n"
    output.write("stdout", line * 100)

    assert [len(content) for _, _, content in taken(output)] == [65_000, 35_000]


def test_take_cuts_no_character() -> None:
    """Where a line is cut, because it is long or because it stays open, each character is whole."""
    output = make_output()
    output.write("stdout", "ä€😀".encode() * PIECE_BYTES_MAX)
    output.write("stderr", "äöü€".encode()[:-1])
    output.take()
    entries = output.take()
    output.write("stderr", "€\n".encode()[-2:])
    output.close()
    entries += output.take()

    assert "\N{REPLACEMENT CHARACTER}" not in "".join(entry.content for entry in entries)
    assert "".join(entry.content for entry in entries if entry.stream == "stderr") == "äöü€\n"


def test_take_tells_the_time_and_the_number_of_each_line() -> None:
    """Lines have the time at which they began to come, and are counted over all streams; so are bytes as stored."""
    clock = FrozenClock()
    output = BufferedOutput(RunKey(1, 2), 1000, clock.now, lambda output: None)
    begin = clock.now()
    output.write("stdout", b"1\n2\nthree be")
    clock.advance(2)
    output.write("stdout", b"gins\n4\n")
    clock.advance(1)
    output.write("stderr", b"five\xff")
    (first,) = output.take()
    (five,) = output.take()
    output.write("stderr", b" goes on\n6\n")
    (six,) = output.take()

    assert (first.logged_at, first.content, first.first_line) == (begin, "1\n2\nthree begins\n4\n", 1)
    assert (first.line_offsets, first.first_byte) == ([0, 0, 0, 2000], 0)
    assert (five.logged_at, five.first_line) == (begin + timedelta(seconds=3), 5)
    assert (five.line_offsets, five.first_byte) == ([0], 19)
    assert (six.content, six.first_line, six.line_offsets) == (" goes on\n6\n", 6, [0])
    assert six.first_byte == 19 + len("five\N{REPLACEMENT CHARACTER}".encode())


def test_report_keeps_the_last_progress() -> None:
    """What is not told again stays as it was; what cannot be stored is put right; it is taken once."""
    announced: list[BufferedOutput] = []
    output = BufferedOutput(RunKey(1, 2), 1000, FrozenClock().now, announced.append)
    output.report(RunProgress(share=0.2, text="a\0b", metrics={"rows": 1.0, "nan": float("nan")}))
    output.report(RunProgress(share=1.5, metrics={"bytes": 2.0}))

    assert announced == [output]
    assert output.take() == []
    assert output.is_waiting
    assert output.take_progress() == RunProgress(share=1.0, text="ab", metrics={"rows": 1.0, "bytes": 2.0})
    assert not output.is_waiting
    assert output.take_progress() is None
    output.report(RunProgress(text="x" * 5000, metrics={str(number): 1.0 for number in range(1000)}))
    told = output.take_progress()
    assert told is not None
    assert (len(told.text or ""), len(told.metrics), told.share) == (1000, 50, 1.0)
    output.close()
    output.report(RunProgress(share=0.0))
    assert output.take_progress() is None


def test_output_without_room_is_counted_and_marked() -> None:
    """What finds no room is not kept, and a marker in its place says so; what is taken makes room again."""
    output = BufferedOutput(RunKey(1, 2), 10**9, FrozenClock().now, lambda output: None, OutputRoom(1000))
    output.write("stdout", b"a" * 500 + b"\n")
    output.write("stdout", b"b" * 500 + b"\n")
    output.write("stdout", b"c" * 500 + b"\n")
    assert [(entry.stream, len(entry.content)) for entry in output.take()] == [("stdout", 501)]
    output.write("stdout", b"d\n")

    assert [(entry.stream, entry.content) for entry in output.take()] == [
        ("log", "[1002 bytes of output were not kept: too much was waiting for the database]\n"),
        ("stdout", "d\n"),
    ]


@pytest.mark.parametrize(
    "chunk", [b"x" * 65_536, b"\n" * 65_536, (b"y" * 99 + b"\n") * 600, b"\xf0\x9f\x98\x80 \xff" * 9000]
)
def test_output_that_nobody_takes_needs_little_memory(chunk: bytes) -> None:
    """A job that floods its output while the database is away costs the worker what its room says, not more."""
    output = BufferedOutput(RunKey(1, 2), 10**12, FrozenClock().now, lambda output: None, OutputRoom(8_000_000))
    tracemalloc.start()
    try:
        for count in range(200_000_000 // len(chunk)):
            output.write("stdout" if count % 2 else "stderr", chunk)
        output.close()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16_000_000
    kept = 0
    while entries := output.take(4_000_000, 500):
        kept += sum(len(entry.content) for entry in entries)
    assert kept > 800_000


def test_output_in_many_small_pieces_takes_room_for_each() -> None:
    """What a piece costs beside its text counts: a job that changes its stream with each line gets no more memory."""
    output = BufferedOutput(RunKey(1, 2), 10**9, FrozenClock().now, lambda output: None, OutputRoom(1_000_000))
    for count in range(10_000):
        output.write("stdout" if count % 2 else "stderr", b"x\n")

    assert 1000 < len(output.take()) < 3000


@given(st.lists(st.tuples(st.text(max_size=20), st.booleans()), max_size=20))
def test_output_is_complete(writes: list[tuple[str, bool]]) -> None:
    """However it is written and taken, nothing is lost, doubled or reordered within a stream."""
    output = make_output()
    entries = []
    for text, takes in writes:
        output.write("stdout", text.encode("utf-8", "replace"))
        if takes:
            entries += taken(output)
    output.close()
    rest = output.take()
    entries += [(entry.sequence, entry.stream, entry.content) for entry in rest]
    assert sum(entry.line_offsets is None for entry in rest) == 0

    expected = "".join(text.encode("utf-8", "replace").decode() for text, _ in writes).replace("\0", "")
    assert "".join(content for _, _, content in entries) == expected
    assert [sequence for sequence, _, _ in entries] == list(range(1, len(entries) + 1))
