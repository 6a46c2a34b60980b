"""The end of a run's output."""

from fixtures.worker import CollectedOutput
from scheduler_core.models import RunProgress
from scheduler_worker.executors.output_end import EndKeepingOutput


def test_worker_unit_output_end_keeps_the_last_bytes_of_all_streams(output: CollectedOutput) -> None:
    """However much is written, everything passes, and the end of it is kept, whichever stream it came by."""
    kept = EndKeepingOutput(output)

    kept.write("stdout", b"a" * 100_000)
    kept.write("stderr", b"b\xff\n")
    kept.report(RunProgress(share=0.5))

    assert kept.end == "a" * 2045 + "b\N{REPLACEMENT CHARACTER}\n"
    assert [len(data) for _, data in output.written] == [100_000, 3]
    assert output.reported == [RunProgress(share=0.5)]
