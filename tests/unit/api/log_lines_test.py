"""Entries cut down to lines."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from scheduler_api.log_lines import last_lines, line_range, lines_since
from scheduler_core.models import RunLogEntry

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entries_of(pieces: list[str]) -> list[RunLogEntry]:
    """These pieces of one stream as entries; each line comes a second after the one before."""
    entries = []
    is_in_line, lines, size = False, 0, 0
    for sequence, content in enumerate(pieces, start=1):
        begun = content.count("\n") + (not content.endswith("\n")) - is_in_line
        entries.append(
            RunLogEntry(
                run_id=1,
                attempt=1,
                sequence=sequence,
                stream="stdout",
                logged_at=NOON + timedelta(seconds=lines),
                content=content,
                line_offsets=[1000 * place for place in range(begun)],
                first_line=lines + 1,
                first_byte=size,
            )
        )
        is_in_line, lines, size = not content.endswith("\n"), lines + begun, size + len(content.encode())
    return entries


def text_of(entries: list[RunLogEntry]) -> str:
    """What they hold."""
    return "".join(entry.content for entry in entries)


def test_line_range_cuts_both_ends() -> None:
    """Only the lines with these numbers are left, also of a line that goes on in the next entry, which says where."""
    entries = entries_of(["é1\n2\n3\n", "4 begins", " goes on", " and ends\n5\n", "6\n"])

    assert text_of(line_range(entries, 2, 3)) == "2\n3\n"
    assert text_of(line_range(entries, 4, 4)) == "4 begins goes on and ends\n"
    assert text_of(line_range(entries, 5, 99)) == "5\n6\n"
    (two,) = line_range(entries, 2, 2)
    assert (two.first_line, two.first_byte, two.line_offsets) == (2, 4, [1000])
    (five,) = line_range(entries, 5, 5)
    assert (five.first_line, five.first_byte, five.line_offsets) == (5, entries[3].first_byte + 10, [0])  # type: ignore[operator]


def test_last_lines_of_output_without_numbers() -> None:
    """Entries that an older version has stored are cut, too."""
    (entry,) = entries_of(["1\n2\n3\n"])
    old = RunLogEntry(run_id=1, attempt=1, sequence=1, stream="stdout", logged_at=NOON, content=entry.content)

    assert text_of(last_lines([old, old], 4)) == "3\n1\n2\n3\n"
    assert text_of(lines_since([old], NOON)) == entry.content
    assert last_lines([], 1) == []


def test_lines_since_cuts_within_an_entry() -> None:
    """Lines that came before are left out, and entries that hold no others with them."""
    entries = entries_of(["1\n2\n3\n", "4\n"])

    assert text_of(lines_since(entries, NOON + timedelta(seconds=1))) == "2\n3\n4\n"
    assert [entry.sequence for entry in lines_since(entries, NOON + timedelta(seconds=2.5))] == [2]
    assert lines_since(entries, NOON + timedelta(hours=1)) == []


@given(st.lists(st.text("a\n\r\x0bé", min_size=1, max_size=8), max_size=8), st.integers(1, 12), st.integers(1, 12))
def test_lines_are_cut_like_those_of_a_file(pieces: list[str], first: int, count: int) -> None:
    """However output was cut into entries: the lines are those that a file with it would have."""
    entries = entries_of(pieces)
    content = "".join(pieces)
    lines = [f"{line}\n" for line in content.split("\n")]
    lines = lines[:-1] if content.endswith("\n") or not content else [*lines[:-1], lines[-1][:-1]]

    assert text_of(line_range(entries, first, first + count - 1)) == "".join(lines[first - 1 : first - 1 + count])
    assert text_of(last_lines(entries, count)) == "".join(lines[-count:])
