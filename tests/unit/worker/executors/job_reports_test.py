"""The report channel of jobs in any language."""

import itertools
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.interfaces import RunOutcome, RunOutput
from scheduler_core.models import RunProgress, TaskRunStatus
from scheduler_worker.executors.job_reports import JobReports


class RecordingOutput(RunOutput):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.progress: list[RunProgress] = []

    def write(self, stream: str, data: bytes) -> None:
        """See RunOutput."""
        self.told.append(f"{stream}: {data.decode()}")

    def report(self, progress: RunProgress) -> None:
        """See RunOutput."""
        self.progress.append(progress)


def read(*data: bytes, limit: int = 1000) -> tuple[JobReports, RecordingOutput]:
    """What was understood of these reads, to the end of the channel."""
    output = RecordingOutput()
    reports = JobReports(output, limit)
    for each in data:
        reports.feed(each)
    reports.close()
    return reports, output


def test_worker_unit_reports_of_progress_go_on_at_once() -> None:
    """Share, text and metrics are given on as they come, and what is not named is None or empty."""
    _, output = read(b'{"progress": 0.4, "text": "rows", "metrics": {"rows": 12}}\n{"progress": 1}\n')

    assert output.progress == [
        RunProgress(share=0.4, text="rows", metrics={"rows": 12.0}),
        RunProgress(share=1.0),
    ]


def test_worker_unit_reports_keep_the_last_result() -> None:
    """The last result that was told counts, also JSON null and a last line without an end."""
    assert read(b'{"result": 1}\n{"result": {"a": [1, "\xc3\xa4"]}}')[0].result == msgspec.Raw(
        b'{"a": [1, "\xc3\xa4"]}'
    )
    assert read(b'{"result": 1}\n{"result": null}\n')[0].result == msgspec.Raw(b"null")
    assert read(b'{"progress": 0.1}\n')[0].result is None


def test_worker_unit_reports_ask_for_an_end() -> None:
    """A job asks to be tried again, to be skipped, or to fail for good; the last one counts."""
    assert read(b'{"retry_after": 30, "reason": "busy"}\n')[0].outcome == RunOutcome(
        status=TaskRunStatus.FAILED, error="The job asked to be tried again in 30 s: busy", retry_after_seconds=30.0
    )
    assert read(b'{"fail": "no"}\n{"skip": "no rows"}\n')[0].outcome == RunOutcome(
        status=TaskRunStatus.SKIPPED, error="no rows"
    )
    assert read(b'{"skip": ""}\n{"fail": "broken for good"}\n')[0].outcome == RunOutcome(
        status=TaskRunStatus.FAILED, error="broken for good", retryable=False
    )


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"half done", "JSON is malformed"),
        (b"[0.5]", "Expected `object`, got `array`"),
        (b'{"progress": 2}', "`$.progress`"),
        (b'{"progess": 0.5}', "unknown field `progess`"),
        (b'{"retry_after": -1}', "`$.retry_after`"),
        (b'{"skip": "a", "fail": "b"}', "skip and fail at once"),
        (b'{"skip": "a", "reason": "b"}', "a reason belongs to retry_after"),
        (b'{"result": "\xff"}', "utf-8"),
        (b'{"result": 1e999999}', "out of range"),
    ],
)
def test_worker_unit_report_line_that_is_not_understood_is_told(line: bytes, reason: str) -> None:
    """The run's output says which line it was, what is wrong and how it is written; what follows it counts."""
    reports, output = read(b"\n" + line + b'\n{"result": 7}\n')

    assert (reports.result, reports.outcome, reports.problem) == (msgspec.Raw(b"7"), None, None)
    assert len(output.told) == 1
    assert output.told[0].startswith("log: [report line 2 is not understood: ")
    assert reason in output.told[0]
    assert line.decode("utf-8", "replace") in output.told[0]


def test_worker_unit_refusals_of_report_lines_are_bounded() -> None:
    """A job that writes anything but reports into the channel does not fill its output with that."""
    _, output = read(b"no\n" * 1000)

    assert len(output.told) == 10
    assert output.told[-1].endswith("[further report lines that are not understood are not told]\n")


def test_worker_unit_result_that_is_too_long_is_a_problem() -> None:
    """It names both sizes, whether or not the line could be held, and a later result that fits stands in for it."""
    fits, slightly, by_far = (b'{"result": "%b"}\n' % (b"x" * size) for size in (998, 999, 10_000_000))

    assert read(fits)[0].problem is None
    assert (read(slightly)[0].problem or "").startswith("The result has 1001 bytes as JSON; at most 1000 are stored")
    assert (read(by_far)[0].problem or "").startswith("The result has 10000014 bytes")
    assert read(fits, slightly)[0].result is None
    assert read(slightly, fits)[0].problem is None


def test_worker_unit_report_line_without_an_end_is_not_held_in_memory() -> None:
    """However much comes without a line end, only the beginning is kept, and the lines after it are read."""
    output = RecordingOutput()
    reports = JobReports(output, 1000)
    tracemalloc.start()
    try:
        for _ in range(100):
            reports.feed(bytes(bytearray(b"x" * 50_000)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    reports.feed(b'\n{"result": 1}\n')

    assert peak < 500_000
    assert reports.result == msgspec.Raw(b"1")
    assert len(output.told) == 1
    assert "it has 5000000 bytes, of which at most 66536 are read" in output.told[0]


@given(st.lists(st.integers(0, 60), max_size=6))
def test_worker_unit_reports_are_the_same_however_they_are_read(cuts: list[int]) -> None:
    """Where a read ends says nothing about where a line ends."""
    data = b'{"progress": 0.5}\n{"result": {"a": 1}}\nno\n{"skip": "none"}'
    places = [0, *sorted(cuts), len(data)]
    whole, told = read(data)
    cut, told_cut = read(*[data[start:end] for start, end in itertools.pairwise(places)])

    assert (cut.result, cut.outcome, told_cut.told, told_cut.progress) == (
        whole.result,
        whole.outcome,
        told.told,
        told.progress,
    )
