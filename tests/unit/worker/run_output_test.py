"""Output cut into entries."""

from hypothesis import given
from hypothesis import strategies as st

from fixtures.clock import FrozenClock
from scheduler_core.models import RunKey
from scheduler_worker.run_output import PIECE_CHARS_MAX, BufferedOutput


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
    output.write("stdout", b"x" * (2 * PIECE_CHARS_MAX + 1))

    assert [len(content) for _, _, content in taken(output)] == [PIECE_CHARS_MAX, PIECE_CHARS_MAX, 1]


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
    entries += taken(output)

    expected = "".join(text.encode("utf-8", "replace").decode() for text, _ in writes).replace("\0", "")
    assert "".join(content for _, _, content in entries) == expected
    assert [sequence for sequence, _, _ in entries] == list(range(1, len(entries) + 1))
