"""The `scheduler flow` commands, and `scheduler run group`, against a scripted server."""

import io
import json
import sys
from pathlib import Path

import msgspec
import pytest

from fixtures.fake_api import Answer, FakeApi, page_of, run_document
from fixtures.flow_documents import flow_document, flow_view
from scheduler_api.client import waiting_notes
from scheduler_api.schemas.flow_schema import FlowView
from scheduler_core.runtime.cli import main
from scheduler_core.runtime.exit_code import ExitCode

Capture = pytest.CaptureFixture[str]

DIAMOND = flow_view({"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")})
FLOWS = "/api/v1/flows"


def test_api_unit_scripted_flow_is_what_the_api_gives() -> None:
    """The documents of these tests have the fields of the API's own, no more and no fewer."""
    view = msgspec.convert(DIAMOND, FlowView)
    assert set(msgspec.to_builtins(view)) == set(DIAMOND)
    assert set(msgspec.to_builtins(view.flow)) == set(DIAMOND["flow"])
    assert set(msgspec.to_builtins(view.nodes[0])) == set(DIAMOND["nodes"][0])
    assert set(msgspec.to_builtins(view.edges[0])) == set(DIAMOND["edges"][0])


def test_flow_list_filters_and_shows_counts(fake_api: FakeApi, capsys: Capture) -> None:
    """The flags become the API's own filters; each flow says how its runs stand."""
    flow = flow_document(id=7, status="FAILED", by_status={"COMPLETED": 3, "FAILED": 1}, trigger="RETRY", retry_of=2)
    fake_api.answer("GET", FLOWS, page_of(flow, next_cursor="x"))
    assert main(["flow", "list", "--task", "a", "--status", "failed", "--namespace", "n", "--limit", "1"]) == 0
    assert fake_api.requests[0].query == {"limit": ["1"], "task": ["a"], "status": ["FAILED"], "namespace": ["n"]}
    shown = capsys.readouterr()
    cells = shown.out.splitlines()[1].split("\t")
    assert cells[:4] == ["7", "a", "FAILED", "RETRY of run 2"]
    assert cells[-2:] == ["3 s", "3 completed, 1 failed"]
    assert "--all" in shown.err


def test_flow_list_empty_says_where_other_runs_are(fake_api: FakeApi, capsys: Capture) -> None:
    """A run without others is no flow in this list."""
    fake_api.answer("GET", FLOWS, page_of())
    assert main(["flow", "list"]) == 0
    assert "scheduler run list" in capsys.readouterr().err


def test_flow_show_draws_the_flow(fake_api: FakeApi, capsys: Capture) -> None:
    """What it is on the first line, then its lanes."""
    fake_api.answer("GET", f"{FLOWS}/1", DIAMOND)
    assert main(["flow", "show", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Flow 1 of a: COMPLETED, 2 completed"
    assert "├─┐" in lines
    assert any(line.startswith("● d    COMPLETED") for line in lines)


@pytest.mark.parametrize(
    ("flags", "start"),
    [
        (["--format", "dot"], "digraph flow {"),
        (["--format", "mermaid"], "---\ntitle: 'Flow 1"),
        (["--format", "svg"], "<svg "),
        (["--format", "json"], "{"),
        (["-o", "json"], "{"),
        (["--gantt"], "Flow 1 of a"),
        (["--gantt", "--format", "svg"], "<svg "),
    ],
)
def test_flow_show_writes_each_format_to_stdout_or_a_file(
    fake_api: FakeApi, capsys: Capture, tmp_path: Path, flags: list[str], start: str
) -> None:
    """The same bytes in both places."""
    fake_api.answer("GET", f"{FLOWS}/1", DIAMOND)
    assert main(["flow", "show", "1", *flags]) == 0
    written = capsys.readouterr().out
    assert written.startswith(start)
    if "json" in flags:
        assert json.loads(written) == DIAMOND
    file = tmp_path / "flow.out"
    assert main(["flow", "show", "1", *flags, "--out", str(file)]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert f"Wrote {file}." in shown.err
    assert file.read_text(encoding="utf-8") == written


def test_flow_show_refuses_what_it_cannot_write(fake_api: FakeApi, capsys: Capture, tmp_path: Path) -> None:
    """A folder that is not there, and a Gantt chart in a language of graphs; the remedy is named."""
    fake_api.answer("GET", f"{FLOWS}/1", DIAMOND)
    assert main(["flow", "show", "1", "--out", str(tmp_path / "no" / "file")]) == ExitCode.USAGE
    assert "Name another file." in capsys.readouterr().err
    assert main(["flow", "show", "1", "--gantt", "--format", "dot"]) == ExitCode.USAGE
    assert "not as dot" in capsys.readouterr().err


def test_flow_show_says_that_runs_are_left_out(fake_api: FakeApi, capsys: Capture) -> None:
    """With both numbers."""
    fake_api.answer("GET", f"{FLOWS}/1", {**DIAMOND, "truncated": True, "node_count": 5000})
    assert main(["flow", "show", "1"]) == 0
    assert "The first 4 of 5000 runs are shown" in capsys.readouterr().err


def test_flow_show_falls_back_to_ascii(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the output can hold nothing else."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii"))
    fake_api.answer("GET", f"{FLOWS}/1", flow_view({"a": (), "b": ("a",), "ü": ("a",)}))
    assert main(["flow", "show", "1"]) == 0
    sys.stdout.flush()
    assert b"+-+" in written.getvalue()
    assert b"* ?  COMPLETED" in written.getvalue()


@pytest.mark.parametrize(
    ("flags", "body"),
    [
        (["--from-start"], {"from": "start"}),
        (["--from-failed"], {"from": "failed"}),
        (["--from-task", "b", "--from-task", "c"], {"from": "tasks", "tasks": ["b", "c"]}),
    ],
)
def test_flow_rerun_says_from_where(
    fake_api: FakeApi, capsys: Capture, flags: list[str], body: dict[str, object]
) -> None:
    """The request can be repeated, and the new flow is named."""
    made = {"flow_id": 20, "run_count": 120, "rerun": [{"run_id": 20, "retry_of": 2, "task": "b"}]}
    fake_api.answer("POST", f"{FLOWS}/1/rerun", made, status=201)
    assert main(["flow", "rerun", "1", *flags]) == 0
    request, _ = fake_api.requests
    assert request.body == body
    assert "Idempotency-Key" in request.headers
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1] == "20\t20\tb\t2"
    assert "scheduler flow show 20" in shown.err
    assert "119 more runs" in shown.err
    assert main(["flow", "rerun", "1", *flags, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == made


@pytest.mark.parametrize("flags", [[], ["--from-start", "--from-failed"], ["--from-task", "b", "--from-failed"]])
def test_flow_rerun_needs_one_place_to_begin(fake_api: FakeApi, capsys: Capture, flags: list[str]) -> None:
    """Nothing is sent as long as it is not clear what is meant."""
    assert main(["flow", "rerun", "1", *flags]) == ExitCode.USAGE
    assert "--from-start, --from-failed and --from-task NAME" in capsys.readouterr().err
    assert fake_api.requests == []


def test_flow_rerun_waits_for_the_new_flow(fake_api: FakeApi, capsys: Capture) -> None:
    """With the exit code of its end."""
    fake_api.answer("POST", f"{FLOWS}/1/rerun", {"flow_id": 20, "run_count": 1, "rerun": []}, status=201)
    view = flow_view({"a": (), "b": ("a",)}, b={"status": "FAILED", "error": f"{'x' * 200}\nend"})
    fake_api.answer("GET", f"{FLOWS}/20", {**view, "flow": flow_document(id=20, status="FAILED")})
    assert main(["flow", "rerun", "1", "--from-failed", "--wait"]) == ExitCode.RUN_FAILED
    assert capsys.readouterr().err.splitlines()[-2:] == [f"Run 2 of b is FAILED: {'x' * 200}", "end"]
    assert main(["flow", "rerun", "1", "--from-failed", "--timeout", "3"]) == ExitCode.USAGE
    assert "Give --wait, too." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code"),
    [("COMPLETED", ExitCode.OK), ("FAILED", ExitCode.RUN_FAILED), ("CANCELLED", ExitCode.RUN_CANCELLED)],
)
def test_flow_wait_ends_with_the_flow(fake_api: FakeApi, capsys: Capture, status: str, code: ExitCode) -> None:
    """It asks for the flow alone, until no run goes on."""
    running = {"flow": flow_document(status="RUNNING", ended_at=None)}
    ended = {"flow": flow_document(status=status), "nodes": []}
    fake_api.answer("GET", f"{FLOWS}/1", running, running, ended)
    assert main(["flow", "wait", "1"]) == code
    assert len([request for request in fake_api.requests if request.query]) == 3
    assert fake_api.requests[0].query == {"nodes": ["false"]}
    assert status in capsys.readouterr().out


def test_flow_wait_tells_once_what_keeps_it(
    fake_api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run that waits for no other one is asked about, while none runs; the same reason is not repeated."""
    monkeypatch.setattr(waiting_notes, "LOOK_SECONDS", 0.0)
    view = flow_view({"a": (), "b": ("a",)}, a={"status": "DISPATCHED"}, b={"status": "PENDING", "waiting_on": 1})
    waiting = {**view, "flow": flow_document(status="RUNNING", ended_at=None, by_status={"PENDING": 2})}
    done = {"flow": flow_document()}
    fake_api.answer("GET", f"{FLOWS}/1", *[waiting] * 6, done)
    blocker = {"code": "NO_WORKER", "message": "No worker is alive.", "clears": "One.", "blocks": True, "run_id": None,
               "task": None}  # fmt: skip
    fake_api.answer("GET", "/api/v1/task-runs/1/explain", {"blockers": [blocker]})
    assert main(["flow", "wait", "1"]) == 0
    assert capsys.readouterr().err == "Run 1 waits: No worker is alive. What clears it: One.\n"


def test_flow_wait_gives_up_in_time(fake_api: FakeApi, capsys: Capture) -> None:
    """And says how things stand."""
    running = flow_document(status="RUNNING", ended_at=None, by_status={"RUNNING": 1, "PENDING": 2})
    fake_api.answer("GET", f"{FLOWS}/1", {"flow": running})
    assert main(["flow", "wait", "1", "--timeout", "0"]) == ExitCode.UNREACHABLE
    assert "1 running, 2 pending" in capsys.readouterr().err


def test_flow_cancel_asks_or_is_told(fake_api: FakeApi, capsys: Capture) -> None:
    """Without --yes nothing happens where nobody can be asked."""
    done = {"flow": flow_document(status="RUNNING"), "cancelled": 3, "stopping": 1}
    fake_api.answer("POST", f"{FLOWS}/1/cancel", done)
    assert main(["flow", "cancel", "1"]) == ExitCode.USAGE
    assert "--yes" in capsys.readouterr().err
    assert fake_api.requests == []
    assert main(["flow", "cancel", "1", "--yes"]) == 0
    assert "3 runs were cancelled, 1 more is being stopped" in capsys.readouterr().err
    assert main(["flow", "cancel", "1", "--yes", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == done


def test_run_group_shows_its_runs(fake_api: FakeApi, capsys: Capture) -> None:
    """Index, item and what became of each; how far the whole has come is said beside it."""
    summary = {"kind": "map", "size": 3, "by_status": {"COMPLETED": 1, "SKIPPED": 1, "RUNNING": 1}}
    members = [
        run_document(id=11, shard_index=0, item={"file": "a"}),
        run_document(id=12, shard_index=1, item="b", status="SKIPPED", skip_reason="GROUP_FAILED"),
        run_document(id=13, shard_index=2, item="c" * 100, status="RUNNING", completed_at=None),
    ]
    head = run_document(id=9, status="PENDING", group_size=3)
    answers = [
        Answer({"head": head, "group": summary, **page_of(*members[:2], next_cursor="n")}),
        Answer({"head": head, "group": summary, **page_of(members[2])}),
    ]
    fake_api.answer("GET", "/api/v1/task-runs/9/group", *answers)
    assert main(["run", "group", "9", "--all"]) == 0
    shown = capsys.readouterr()
    rows = [line.split("\t") for line in shown.out.splitlines()[1:]]
    assert [row[:3] for row in rows] == [["0", "11", "COMPLETED"], ["1", "12", "SKIPPED"], ["2", "13", "RUNNING"]]
    assert rows[0][3] == '{"file": "a"}'
    assert rows[1][7] == "skipped: too many runs of its group failed"
    assert rows[2][3].endswith("…")
    assert "Run 9 of extract is PENDING: map 2/3, 1 running, 1 skipped." in shown.err


def test_run_show_tells_its_place_in_the_flow(fake_api: FakeApi, capsys: Capture) -> None:
    """Its group, its item, and in words why it was skipped."""
    run = run_document(
        status="SKIPPED",
        skip_reason="WHEN_FALSE",
        group_id=9,
        shard_index=1,
        shard_total=3,
        item=0,
        trigger_rule="all_done",
    )
    fake_api.answer("GET", "/api/v1/task-runs/7", run)
    assert main(["run", "show", "7"]) == 0
    fields = dict(line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert fields["Reason"] == "skipped: its condition was false"
    assert (fields["In group"], fields["Item"], fields["Rule"]) == ("9, index 1 of 3", "0", "all_done")
