"""The `scheduler run`, `scheduler worker` and `scheduler status` commands against a scripted server."""

import json
import sys
from typing import Any

import pytest

from fixtures.fake_api import HANG_UP, Answer, FakeApi, Received, log_document, page_of, run_document
from scheduler_api.client import api_client, log_reading, waiting_notes
from scheduler_api.schemas.cursor import encode_cursor
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]


def test_run_list_filters_by_task_and_status(fake_api: FakeApi, capsys: Capture) -> None:
    """--task and --status become the API's own filters."""
    fake_api.answer("GET", "/api/v1/tasks/extract/runs", page_of(run_document()))
    assert main(["run", "list", "--task", "extract", "--status", "failed", "--status", "TIMEOUT", "--limit", "5"]) == 0
    assert fake_api.requests[0].query == {"limit": ["5"], "status": ["FAILED", "TIMEOUT"]}
    assert capsys.readouterr().out.splitlines()[1].startswith("7\textract\tCOMPLETED\tMANUAL")


def test_run_list_limit_above_a_page_takes_several(fake_api: FakeApi, capsys: Capture) -> None:
    """A limit greater than the API's page is filled from several pages, exactly."""

    def pages(received: Received) -> Answer:
        start = int(received.query.get("cursor", ["0"])[0])
        count = int(received.query["limit"][0])
        return Answer(page_of(*(run_document(id=start + i) for i in range(count)), next_cursor=str(start + count)))

    fake_api.answer("GET", "/api/v1/task-runs", pages)
    assert main(["run", "list", "--limit", "750", "-o", "json"]) == 0
    assert [run["id"] for run in json.loads(capsys.readouterr().out)["items"]] == list(range(750))


def test_run_list_empty_says_the_next_command(fake_api: FakeApi, capsys: Capture) -> None:
    """No runs yet: the command that makes one is named."""
    fake_api.answer("GET", "/api/v1/tasks/extract/runs", page_of())
    assert main(["run", "list", "--task", "extract"]) == 0
    assert "scheduler task trigger extract" in capsys.readouterr().err


def test_run_show_tells_result_and_error(fake_api: FakeApi, capsys: Capture) -> None:
    """One run shows everything that explains its end."""
    run = run_document(status="FAILED", error="exit code 3", failures=2, retry_of=4)
    fake_api.answer("GET", "/api/v1/task-runs/7", run)
    assert main(["run", "show", "7"]) == 0
    out = capsys.readouterr().out
    assert "exit code 3" in out
    assert "retry of 4" in out
    assert "2 failures, 2 retries allowed" in out
    assert "1.5 s" in out


def test_run_logs_writes_the_bytes_unchanged(fake_api: FakeApi, capsys: Capture) -> None:
    """Into a pipe a job's output goes exactly as it was printed."""
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(log_document(1, "\x1b[31mré\x1b[0m\r\nno end")))
    assert main(["run", "logs", "7"]) == 0
    assert capsys.readouterr().out == "\x1b[31mré\x1b[0m\r\nno end"


def test_run_logs_json_is_one_entry_a_line(fake_api: FakeApi, capsys: Capture) -> None:
    """-o json gives the API's own entries as JSON lines."""
    entries = [log_document(1, "a\n"), log_document(2, "b\n")]
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(*entries))
    assert main(["run", "logs", "7", "-o", "json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == entries


class GrowingLog:
    """A log endpoint over a list that grows by one entry per look at the run."""

    def __init__(self, entries: list[dict[str, Any]], *, cursor_at_end: bool) -> None:
        self.entries = entries
        self.shown = 0
        self.cursor_at_end = cursor_at_end

    def run(self, received: Received) -> Answer:
        """Answer with a run that is final once everything has been printed."""
        self.shown = min(self.shown + 1, len(self.entries))
        return Answer(run_document(status="COMPLETED" if self.shown == len(self.entries) else "RUNNING"))

    def logs(self, received: Received) -> Answer:
        """Answer with at most two entries after the cursor."""
        start = int(received.query.get("cursor", ["0"])[0])
        page = self.entries[start : min(start + 2, self.shown)]
        more = start + len(page) < self.shown
        return Answer(page_of(*page, next_cursor=str(start + len(page)) if more or self.cursor_at_end else None))


@pytest.mark.parametrize("cursor_at_end", [True, False])
def test_run_logs_follow_gives_every_entry_once(fake_api: FakeApi, capsys: Capture, cursor_at_end: bool) -> None:
    """Following a growing log shows each entry once and in order, whether or not the last page has a cursor."""
    log = GrowingLog([log_document(n, f"{n}\n") for n in range(1, 8)], cursor_at_end=cursor_at_end)
    fake_api.answer("GET", "/api/v1/task-runs/7", log.run)
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", log.logs)
    assert main(["run", "logs", "7", "--follow"]) == 0
    assert capsys.readouterr().out.split() == [str(n) for n in range(1, 8)]


def test_run_logs_second_attempt_starts_its_sequence_anew(fake_api: FakeApi, capsys: Capture) -> None:
    """Entries of a retry follow those of the attempt before, although their sequence begins again."""
    entries = [log_document(1, "a"), log_document(2, "b"), log_document(1, "c", attempt=2)]
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(*entries))
    assert main(["run", "logs", "7"]) == 0
    assert capsys.readouterr().out == "abc"


def test_run_logs_follow_waits_for_a_server_that_is_started_again(
    fake_api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is away for a moment costs nothing: each entry comes once, in order."""
    monkeypatch.setattr(log_reading, "POLL_SECONDS_MAX", 0.01)
    monkeypatch.setattr(api_client, "_RETRY_PAUSE_SECONDS", 0.0)
    running, done = run_document(status="RUNNING"), run_document(status="COMPLETED")
    first, second = log_document(1, "a\n"), log_document(2, "b\n")
    fake_api.answer("GET", "/api/v1/task-runs/7", *(Answer(running), HANG_UP, HANG_UP, HANG_UP, HANG_UP, Answer(done)))
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(first), page_of(first, second))
    assert main(["run", "logs", "7", "--follow"]) == 0
    assert capsys.readouterr().out == "a\nb\n"
    followed = [received.query for received in fake_api.requests if received.path.endswith("/logs")]
    assert followed == [{"limit": ["1000"]}, {"limit": ["1000"], "after": [encode_cursor("log", 1, 1)]}]


def test_run_logs_shows_parts(fake_api: FakeApi, capsys: Capture) -> None:
    """What is asked for goes to the API; times stand before lines, numbers before what was found."""
    found = {**log_document(3, "b goes on\nc ERROR\nd ERROR\n"), "lines": [3, 5], "line_offsets": [0, 1500]}
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(found))
    assert main(["run", "logs", "7", "--search", "ERROR", "-t", "--stream", "stderr", "--since", "2026-01-01"]) == 0
    assert fake_api.requests[0].query == {
        "limit": ["1000"],
        "search": ["ERROR"],
        "stream": ["stderr"],
        "since": ["2026-01-01"],
    }
    assert capsys.readouterr().out.splitlines() == [
        "b goes on",
        "3:2026-11-24T06:00:01.000Z c ERROR",
        "5:2026-11-24T06:00:02.500Z d ERROR",
    ]
    old = log_document(1, "a\nb\n")
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(old))
    assert main(["run", "logs", "7", "--tail", "2", "--timestamps"]) == 0
    assert fake_api.requests[1].query == {"tail": ["2"]}
    assert capsys.readouterr().out.splitlines() == ["2026-11-24T06:00:01.000Z a", "2026-11-24T06:00:01.000Z b"]
    assert main(["run", "logs", "7", "--follow", "--search", "x"]) == 2
    assert "--search is for what was printed already" in capsys.readouterr().err


def test_run_logs_is_harmless_on_a_terminal(
    fake_api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colours pass, and what would move the cursor, set the title or write to the clipboard is shown, not done."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    evil = "\x1b[31mred\x1b[0m \x1b[2J\x1b]0;title\x07\x1b]52;c;eA==\x1b\\ \x9b2J \x08x\tt\r\n"
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of(log_document(1, evil)))
    assert main(["run", "logs", "7", "-t"]) == 0
    out = capsys.readouterr().out.partition(" ")[2]
    assert out == ("\x1b[31mred\x1b[0m \\x1b[2J\\x1b]0;title\\x07\\x1b]52;c;eA==\\x1b\\ \\x9b2J \\x08x\tt\r\n")


def test_run_list_and_show_tell_progress(fake_api: FakeApi, capsys: Capture) -> None:
    """What a job says of itself is a column where there is any, and a line of the run."""
    progress = {
        "share": 0.405,
        "text": "north\ndone",
        "metrics": {"rows": 1200.0},
        "reported_at": "2026-11-24T06:00:01Z",
    }
    run = run_document(id=8, status="RUNNING", progress=progress)
    fake_api.answer("GET", "/api/v1/task-runs", page_of(run_document(progress=None), run), page_of(run_document()))
    fake_api.answer("GET", "/api/v1/task-runs/8", run)
    assert main(["run", "list"]) == 0
    assert [line.rpartition("\t")[2] for line in capsys.readouterr().out.splitlines()] == [
        "PROGRESS",
        "-",
        "40 % north done",
    ]
    assert main(["run", "list"]) == 0
    assert "PROGRESS" not in capsys.readouterr().out
    assert main(["run", "show", "8"]) == 0
    assert "Progress\t40 % north done (rows 1200), told " in capsys.readouterr().out


def test_run_logs_nothing_printed_is_said(fake_api: FakeApi, capsys: Capture) -> None:
    """An empty log is told on stderr, with the status."""
    fake_api.answer("GET", "/api/v1/task-runs/7/logs", page_of())
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="PENDING"))
    assert main(["run", "logs", "7"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "PENDING" in err
    assert "--follow" in err
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="FAILED"))
    assert main(["run", "logs", "7"]) == 0
    assert capsys.readouterr().err.endswith("`scheduler run show 7`.\n"), "there is nothing to follow any more"


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (["COMPLETED", "COMPLETED"], 0),
        (["COMPLETED", "FAILED"], 10),
        (["CANCELLED", "TIMEOUT"], 12),
        (["SKIPPED", "COMPLETED"], 11),
        (["QUARANTINED", "TIMEOUT"], 10),
    ],
)
def test_run_wait_exit_code(fake_api: FakeApi, statuses: list[str], code: int) -> None:
    """The exit code tells the worst end among the runs."""
    for run_id, status in enumerate(statuses, start=1):
        fake_api.answer("GET", f"/api/v1/task-runs/{run_id}", run_document(id=run_id, status=status))
    assert main(["run", "wait", *(str(n + 1) for n in range(len(statuses)))]) == code


def test_run_wait_tells_the_whole_error(fake_api: FakeApi, capsys: Capture) -> None:
    """Of what did not complete, on stderr; the table on a pipe has it uncut, too."""
    error = f"{'x' * 100} {'y' * 100}\nlast line"
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="FAILED", error=error))
    assert main(["run", "wait", "7", "--quiet"]) == 10
    shown = capsys.readouterr()
    assert shown.err == f"Run 7 of extract is FAILED: {error}\n"
    assert shown.out.splitlines()[1].endswith(f"{'x' * 100} {'y' * 100} last line")


def test_run_wait_tells_each_reason_once(fake_api: FakeApi, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while the first thing that keeps the run is told on stderr, and again when it is another."""
    monkeypatch.setattr(waiting_notes, "LOOK_SECONDS", 0.0)
    reasons = [
        {"code": code, "message": f"It is {code}.", "clears": "Time.", "blocks": blocks, "run_id": None, "task": None}
        for code, blocks in (("PAUSED", True), ("NO_WORKER", True), ("BROKER_UNREACHABLE", False))
    ]
    told = [{"blockers": [reason]} for reason in (reasons[0], reasons[0], reasons[1], reasons[2])]
    fake_api.answer("GET", "/api/v1/task-runs/7/explain", *told)
    waiting = run_document(status="PENDING")
    fake_api.answer("GET", "/api/v1/task-runs/7", *[waiting] * 4, run_document(status="RUNNING"), run_document())
    assert main(["run", "wait", "7"]) == 0
    assert capsys.readouterr().err.splitlines() == [
        "Run 7 waits: It is PAUSED. What clears it: Time.",
        "Run 7 waits: It is NO_WORKER. What clears it: Time.",
    ]


def test_run_retry_of_a_paused_task_says_when_it_starts(fake_api: FakeApi, capsys: Capture) -> None:
    """The new run waits for the task to be resumed, which is said at once."""
    fake_api.answer("POST", "/api/v1/task-runs/6/retry", run_document(status="PENDING"), status=201)
    paused = {"code": "PAUSED", "message": "Task 'extract' is paused.", "clears": "Resume it."}
    fake_api.answer("GET", "/api/v1/task-runs/7/explain", {"blockers": [paused]})
    assert main(["run", "retry", "6"]) == 0
    assert "Task 'extract' is paused. Run 7 starts when it is resumed. Resume it.\n" in capsys.readouterr().err


def test_run_show_says_what_a_run_waits_for_only_while_it_waits(fake_api: FakeApi, capsys: Capture) -> None:
    """A skipped run keeps its count and waits for nothing; a group has no output of its own."""
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="SKIPPED", waiting_on=2, group_size=1))
    assert main(["run", "show", "7"]) == 0
    shown = capsys.readouterr()
    assert "Waits for" not in shown.out
    assert "Group of\t1 run: " in shown.out
    assert "run logs" not in shown.err
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="PENDING", waiting_on=2, completed_at=None))
    assert main(["run", "show", "7"]) == 0
    assert "Waits for\t2 more: `scheduler explain run 7`" in capsys.readouterr().out


def test_run_wait_time_out_names_the_runs(fake_api: FakeApi, capsys: Capture) -> None:
    """Giving up is exit code 6, and the runs that go on are named with their status."""
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="RUNNING"))
    assert main(["run", "wait", "7", "--timeout", "0"]) == 6
    assert "run 7 (RUNNING)" in capsys.readouterr().err


def test_run_wait_missing_run_is_not_found(fake_api: FakeApi) -> None:
    """Waiting for a run that does not exist ends at once."""
    assert main(["run", "wait", "99"]) == 3


@pytest.mark.parametrize("words", [["run", "wait"], ["run", "cancel"], ["run", "retry"], ["run", "wait", "x"]])
def test_run_commands_need_a_run(fake_api: FakeApi, words: list[str]) -> None:
    """Without a usable id the command is wrong, and nothing is sent."""
    assert main(words) == 2
    assert fake_api.requests == []


def test_run_cancel_shows_where_the_run_stands(fake_api: FakeApi, capsys: Capture) -> None:
    """Cancelling a run that runs says that it is being stopped and how to see the end."""
    stopping = run_document(status="RUNNING", cancel_requested=True, completed_at=None)
    fake_api.answer("POST", "/api/v1/task-runs/7/cancel", stopping)
    assert main(["run", "cancel", "7"]) == 0
    out, err = capsys.readouterr()
    assert "RUNNING" in out
    assert "scheduler run wait 7" in err


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry"])
def test_run_commands_go_on_after_a_refusal(fake_api: FakeApi, capsys: Capture, action: str) -> None:
    """Of several runs each is asked for; what was done is shown, then what was not, whose exit code counts."""
    refusal = {"detail": "Run 7 is COMPLETED.", "code": "conflict"}
    fake_api.answer("POST", f"/api/v1/task-runs/6/{action}", run_document(id=6))
    fake_api.answer("POST", f"/api/v1/task-runs/7/{action}", refusal, status=409)
    fake_api.answer("POST", f"/api/v1/task-runs/8/{action}", run_document(id=8))

    assert main(["run", action, "6", "7", "8"]) == 5
    out, err = capsys.readouterr()
    assert [line.split("\t")[0] for line in out.splitlines()] == ["ID", "6", "8"]
    assert "Run 7 is COMPLETED." in err

    assert main(["run", action, "6", "7", "8", "-o", "json"]) == 5
    out, err = capsys.readouterr()
    assert [run["id"] for run in json.loads(out)["items"]] == [6, 8]
    assert json.loads(err) == refusal


def test_run_commands_ask_no_server_that_is_away(fake_api: FakeApi, capsys: Capture) -> None:
    """What was done before the server went away is shown; the others are not tried one after the other."""
    fake_api.answer("POST", "/api/v1/task-runs/6/cancel", run_document(id=6))
    fake_api.answer("POST", "/api/v1/task-runs/7/cancel", *[HANG_UP] * 9)

    assert main(["run", "cancel", "6", "7", "8"]) == 6
    assert capsys.readouterr().out.splitlines()[1].startswith("6\t")
    assert [received for received in fake_api.requests if "/8/" in received.path] == []


def test_run_cancel_of_a_group_says_that_it_ends_later(fake_api: FakeApi, capsys: Capture) -> None:
    """The head waits until its runs have ended."""
    head = run_document(status="PENDING", cancel_requested=True, completed_at=None, group_size=3)
    fake_api.answer("POST", "/api/v1/task-runs/7/cancel", head)
    assert main(["run", "cancel", "7"]) == 0
    assert "Their runs are being stopped; see the end with `scheduler run wait 7`." in capsys.readouterr().err


def test_run_retry_gives_the_new_run(fake_api: FakeApi, capsys: Capture) -> None:
    """Retrying shows the new run, not the old one."""
    new = run_document(id=8, status="PENDING", retry_of=7)
    fake_api.answer("POST", "/api/v1/task-runs/7/retry", new, status=201)
    assert main(["run", "retry", "7", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == new


def test_worker_list_shows_places_and_draining(fake_api: FakeApi, capsys: Capture) -> None:
    """A worker's line tells how busy it is and that it drains."""
    worker = {
        "id": 3,
        "worker_id": "w-1",
        "hostname": "h",
        "pid": 42,
        "state": "ALIVE",
        "draining": True,
        "queues": ["default"],
        "task_types": ["shell"],
        "places": 10,
        "running": 4,
        "last_heartbeat_at": "2026-11-24T06:00:00Z",
        "version": "0.1.0",
    }
    fake_api.answer("GET", "/api/v1/workers", page_of(worker))
    assert main(["worker", "list"]) == 0
    out = capsys.readouterr().out
    assert "4 of 10" in out
    assert "ALIVE, draining" in out


def test_worker_list_empty_says_the_next_command(fake_api: FakeApi, capsys: Capture) -> None:
    """Without workers the way to start one is named."""
    fake_api.answer("GET", "/api/v1/workers", page_of())
    assert main(["worker", "list"]) == 0
    assert "scheduler-worker" in capsys.readouterr().err


def test_status_not_ready_shows_the_parts(fake_api: FakeApi, capsys: Capture) -> None:
    """A server that is not ready is still described, and the exit code is 1."""
    health = {"status": "unavailable", "parts": {"database": {"status": "down", "detail": "refused"}}}
    fake_api.answer("GET", "/health/ready", Answer(health, 503))
    assert main(["status"]) == 1
    assert "down: refused" in capsys.readouterr().out
