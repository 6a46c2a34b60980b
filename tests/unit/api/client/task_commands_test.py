"""The `scheduler task` commands against a scripted server."""

import json
from pathlib import Path

import pytest

from fixtures.fake_api import Answer, FakeApi, page_of, run_document, task_document
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]


def test_task_create_sends_the_definition_and_shows_the_task(fake_api: FakeApi, capsys: Capture) -> None:
    """The flags become the documented body, with an Idempotency-Key, and the answer is shown."""
    fake_api.answer("POST", "/api/v1/tasks", task_document(), status=201)
    code = main(
        [
            "task",
            "create",
            "extract",
            "--command",
            "echo a;b",
            "--schedule",
            "0 9 * * *",
            "--timezone",
            "Europe/Istanbul",
            "--depends-on",
            "x",
            "--depends-on",
            "y",
            "--param",
            "env:={}",
            "--max-retries",
            "2",
        ]
    )
    received = fake_api.requests[0]
    assert code == 0
    assert received.body == {
        "name": "extract",
        "task_type": "shell",
        "parameters": {"env": {}, "command": "echo a;b", "shell": True},
        "schedule": "0 9 * * *",
        "timezone": "Europe/Istanbul",
        "dependencies": ["x", "y"],
        "max_retries": 2,
    }
    assert received.headers["Idempotency-Key"]
    assert received.headers["Authorization"] == "Bearer secret-key"
    assert "0 9 * * * (Europe/Istanbul)" in capsys.readouterr().out


PREVIEW = {
    "schedule": "CRON_TZ=Europe/Istanbul 0 9 * * *",
    "words": "At 09:00",
    "timezone": "Europe/Istanbul",
    "rules": {"on_gap": "run_after", "on_overlap": "first"},
    "slots": [
        {
            "scheduled_at": "2026-11-24T06:00:00Z",
            "local": "2026-11-24T09:00:00+03:00",
            "not_before": "2026-11-24T06:00:05Z",
            "paused": True,
        }
    ],
}


@pytest.mark.parametrize("words", [["create", "extract", "--command", "x"], ["show", "extract"]])
def test_task_create_and_show_tell_the_next_slots(fake_api: FakeApi, capsys: Capture, words: list[str]) -> None:
    """The slots are shown with the words of the schedule: in its zone, in UTC, and what is special about them."""
    fake_api.answer("POST", "/api/v1/tasks", task_document(), status=201)
    fake_api.answer("GET", "/api/v1/tasks/extract", task_document())
    fake_api.answer("GET", "/api/v1/tasks/1/preview", PREVIEW)
    assert main(["task", *words]) == 0
    out = capsys.readouterr().out
    assert "In words\tAt 09:00" in out
    assert "Clock changes\tgap: run_after, overlap: first" in out
    slots = out.partition("\n\n")[2].splitlines()
    assert slots[0].split("\t") == ["NEXT (Europe/Istanbul)", "UTC", "HERE", "NOTE"]
    local, utc, _here, note = slots[1].split("\t")
    assert (local, utc, note) == ("2026-11-24 09:00:00+03:00", "2026-11-24 06:00:00", "paused, starts 5 s later")


def test_task_create_is_done_though_its_slots_cannot_be_shown(fake_api: FakeApi, capsys: Capture) -> None:
    """A task that is stored is a success, whatever the preview says."""
    fake_api.answer("POST", "/api/v1/tasks", task_document(), status=201)
    assert main(["task", "create", "extract", "--command", "x", "--schedule", "@daily"]) == 0
    assert "cannot be shown" in capsys.readouterr().err


def test_task_create_dry_run_stores_nothing(fake_api: FakeApi, capsys: Capture) -> None:
    """A dry run asks for a judgement and a preview, of this schedule under this name, and nothing else."""
    fake_api.answer("POST", "/api/v1/tasks/apply", {"items": [{"change": "created"}], "dry_run": True})
    fake_api.answer("POST", "/api/v1/schedules/preview", PREVIEW)
    words = ["task", "create", "a", "--command", "x", "--schedule", "@daily", "--timezone", "UTC", "--dry-run"]
    assert main(words) == 0
    out, err = capsys.readouterr()
    assert "2026-11-24 09:00:00+03:00" in out
    assert "would be created" in err
    judged, previewed = fake_api.requests
    assert judged.body["dry_run"] is True
    assert previewed.body == {"schedule": "@daily", "timezone": "UTC", "name": "a"}
    assert main([*words, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dry_run": True, "change": "created", "preview": PREVIEW}


def test_task_create_dry_run_tells_problems_as_create_does(fake_api: FakeApi, capsys: Capture) -> None:
    """Nobody has named a list of tasks, so no problem is placed in one."""
    problem = {"errors": [{"field": "tasks.0.schedule.on_gap", "message": "on_gap has no effect. Remove it."}]}
    fake_api.answer("POST", "/api/v1/tasks/apply", problem, status=422)
    assert main(["task", "create", "a", "--command", "x", "--every", "5m", "--on-gap", "skip", "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert "schedule.on_gap: on_gap has no effect. Remove it." in err
    assert "tasks.0" not in err


def test_task_create_dry_run_knows_a_taken_name(fake_api: FakeApi, capsys: Capture) -> None:
    """What a create would refuse, its dry run refuses."""
    fake_api.answer("POST", "/api/v1/tasks/apply", {"items": [{"change": "updated"}], "dry_run": True})
    assert main(["task", "create", "a", "--command", "x", "--dry-run"]) == 5
    assert "'a' already" in capsys.readouterr().err


def test_task_show_json_is_the_task_alone_unless_asked(fake_api: FakeApi, capsys: Capture) -> None:
    """-o json writes the API's own object; --preview adds one field to it."""
    fake_api.answer("GET", "/api/v1/tasks/extract", task_document())
    fake_api.answer("GET", "/api/v1/tasks/1/preview", PREVIEW)
    assert main(["task", "show", "extract", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == task_document()
    assert len(fake_api.requests) == 1
    assert main(["task", "show", "extract", "-o", "json", "--preview"]) == 0
    assert json.loads(capsys.readouterr().out) == task_document(preview=PREVIEW)


def test_task_create_refuses_an_unknown_choice(fake_api: FakeApi, capsys: Capture) -> None:
    """The choices of a flag are known to the command line itself."""
    assert main(["task", "create", "a", "--command", "x", "--overlap", "que"]) == 2
    assert "queue" in capsys.readouterr().err
    assert fake_api.requests == []


def test_task_create_takes_a_program_after_the_dashes(fake_api: FakeApi) -> None:
    """What follows -- is the program's own, flags included."""
    fake_api.answer("POST", "/api/v1/tasks", task_document(), status=201)
    assert main(["task", "create", "backup", "--queue", "q", "--", "rsync", "-a", "--quiet", "src"]) == 0
    assert fake_api.requests[0].body["parameters"] == {"command": ["rsync", "-a", "--quiet", "src"]}


def test_task_create_without_work_is_usage(fake_api: FakeApi, capsys: Capture) -> None:
    """A task that would do nothing is refused with the ways to say what it does."""
    assert main(["task", "create", "nothing"]) == 2
    assert "--command" in capsys.readouterr().err
    assert fake_api.requests == []


def test_task_create_validation_errors_are_all_shown(fake_api: FakeApi, capsys: Capture) -> None:
    """Every problem that the server finds reaches the person, and the exit code says usage."""
    problem = {
        "detail": "not valid",
        "errors": [{"field": "schedule", "message": "A"}, {"field": "name", "message": "B"}],
    }
    fake_api.answer("POST", "/api/v1/tasks", Answer(problem, 422, "application/problem+json"))
    assert main(["task", "create", "1", "--command", "x"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "schedule: A" in err
    assert "name: B" in err


def test_task_list_json_is_the_api_object(fake_api: FakeApi, capsys: Capture) -> None:
    """-o json writes the API's own page to stdout and nothing else."""
    page = page_of(task_document(), next_cursor="next")
    fake_api.answer("GET", "/api/v1/tasks", page)
    assert main(["task", "list", "-o", "json", "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == page
    assert err == ""


def test_task_list_all_joins_the_pages(fake_api: FakeApi, capsys: Capture) -> None:
    """--all follows every cursor and leaves none."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(task_document(), next_cursor="c"), page_of(task_document(id=2)))
    assert main(["task", "list", "--all", "-o", "json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert ([task["id"] for task in listed["items"]], listed["next_cursor"]) == ([1, 2], None)


def test_task_list_says_that_there_are_more(fake_api: FakeApi, capsys: Capture) -> None:
    """A page that is not the last says how to see the rest, on stderr, unless --quiet."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(task_document(), next_cursor="c"))
    assert main(["task", "list", "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split("\t")[:3] == ["1", "extract", "ACTIVE"]
    assert "--all" in err
    assert main(["task", "list", "--limit", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_task_list_empty_says_the_next_command(fake_api: FakeApi, capsys: Capture) -> None:
    """An empty system tells how to make the first task."""
    fake_api.answer("GET", "/api/v1/tasks", page_of())
    assert main(["task", "list"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "scheduler task create" in err


def test_task_show_tells_the_next_run_in_its_zone_and_in_utc(fake_api: FakeApi, capsys: Capture) -> None:
    """The next run is shown in the task's own zone and in UTC."""
    fake_api.answer("GET", "/api/v1/tasks/extract", task_document())
    assert main(["task", "show", "extract"]) == 0
    out = capsys.readouterr().out
    assert "2026-11-24 09:00:00 +03" in out
    assert "2026-11-24 06:00:00 UTC" in out


def test_task_show_does_not_let_a_name_command_the_terminal(fake_api: FakeApi, capsys: Capture) -> None:
    """Control characters that somebody else stored are shown, not obeyed."""
    fake_api.answer("GET", "/api/v1/tasks/1", task_document(description="\x1b]0;owned\x07"))
    assert main(["task", "show", "1"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "owned" in out


def test_task_update_sends_only_what_changes(fake_api: FakeApi) -> None:
    """Fields without a flag are left out, and a schedule is taken away by null."""
    fake_api.answer("PATCH", "/api/v1/tasks/extract", task_document())
    assert main(["task", "update", "extract", "--priority", "9", "--no-schedule", "--no-depends-on"]) == 0
    assert fake_api.requests[0].body == {"priority": 9, "schedule": None, "dependencies": []}


@pytest.mark.parametrize("flags", [[], ["--no-schedule", "--schedule", "@daily"]])
def test_task_update_nothing_or_contradiction_is_usage(fake_api: FakeApi, flags: list[str]) -> None:
    """An update that says nothing, or two things at once, is not sent."""
    assert main(["task", "update", "extract", *flags]) == 2
    assert fake_api.requests == []


def test_task_delete_without_terminal_needs_yes(fake_api: FakeApi, capsys: Capture) -> None:
    """Nothing is asked, and nothing deleted, where nobody can answer."""
    assert main(["task", "delete", "extract"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert fake_api.requests == []


def test_task_delete_refused_while_others_depend_on_it(fake_api: FakeApi, capsys: Capture) -> None:
    """A conflict has its own exit code and the server's sentence."""
    problem = {"title": "Conflict", "detail": "report depends on it"}
    fake_api.answer("DELETE", "/api/v1/tasks/extract", Answer(problem, 409, "application/problem+json"))
    assert main(["task", "delete", "extract", "--yes", "-o", "json"]) == 5
    out, err = capsys.readouterr()
    assert out == ""
    assert json.loads(err) == problem


def test_task_trigger_wait_exit_code_tells_the_end(fake_api: FakeApi, capsys: Capture) -> None:
    """trigger --wait polls until the run is final; its failure is exit code 10 and its object is on stdout."""
    fake_api.answer("POST", "/api/v1/tasks/extract/trigger", run_document(status="DISPATCHED"), status=201)
    failed = run_document(status="FAILED", error="exit code 3")
    fake_api.answer("GET", "/api/v1/task-runs/7", run_document(status="RUNNING"), failed)
    assert main(["task", "trigger", "extract", "--param", "a=1", "--wait", "-o", "json"]) == 10
    assert fake_api.requests[0].body == {"parameters": {"a": "1"}}
    assert fake_api.requests[0].headers["Idempotency-Key"]
    assert json.loads(capsys.readouterr().out) == failed


def test_task_trigger_count_starts_many(fake_api: FakeApi, capsys: Capture) -> None:
    """--count asks for a batch and shows each run of it."""
    runs = page_of(run_document(id=7), run_document(id=8))
    fake_api.answer("POST", "/api/v1/tasks/extract/trigger", runs, status=201)
    assert main(["task", "trigger", "extract", "--count", "2"]) == 0
    assert fake_api.requests[0].body == {"count": 2}
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_task_pause_and_resume_show_the_task(fake_api: FakeApi, capsys: Capture, action: str) -> None:
    """Pause and resume answer with the task as it is now."""
    fake_api.answer("POST", f"/api/v1/tasks/extract/{action}", task_document(status="PAUSED"))
    assert main(["task", action, "extract"]) == 0
    assert "PAUSED" in capsys.readouterr().out


def test_task_show_missing_task_is_not_found(fake_api: FakeApi, capsys: Capture) -> None:
    """A name that does not exist has exit code 3."""
    assert main(["task", "show", "nobody"]) == 3
    assert capsys.readouterr().err.startswith("error: ")


def test_task_apply_sends_all_tasks_in_one_request(fake_api: FakeApi, capsys: Capture, tmp_path: Path) -> None:
    """All files go into one request, and each task is reported with its change and file."""
    (tmp_path / "a.toml").write_text('[[task]]\nname = "a"\n[[task]]\nname = "b"\n')
    (tmp_path / "c.yaml").write_text("tasks: [{name: c}]")
    answer = {
        "dry_run": True,
        "items": [
            {"name": "a", "outcome": "created"},
            {"name": "b", "outcome": "updated"},
            {"name": "c", "outcome": "unchanged"},
        ],
    }
    fake_api.answer("POST", "/api/v1/tasks/apply", answer)
    files = [str(tmp_path / "a.toml"), str(tmp_path / "c.yaml")]
    assert main(["task", "apply", *files, "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert fake_api.requests[0].body == {"tasks": [{"name": "a"}, {"name": "b"}, {"name": "c"}], "dry_run": True}
    assert [line.split("\t") for line in out.splitlines()[1:]] == [
        ["a", "created", files[0]],
        ["b", "updated", files[0]],
        ["c", "unchanged", files[1]],
    ]
    assert err == "Would be: 1 created, 1 updated, 1 unchanged.\n"


def test_task_apply_problems_name_file_and_task(fake_api: FakeApi, capsys: Capture, tmp_path: Path) -> None:
    """What the server refuses is told with the file and the task, not with a position."""
    (tmp_path / "a.toml").write_text('[[task]]\nname = "a"\n[[task]]\nname = "b"\n')
    problem = {"detail": "bad", "errors": [{"field": "tasks[1].schedule", "message": "has 4 fields"}]}
    fake_api.answer("POST", "/api/v1/tasks/apply", Answer(problem, 422, "application/problem+json"))
    assert main(["task", "apply", str(tmp_path / "a.toml")]) == 2
    err = capsys.readouterr().err
    assert "a.toml, task 'b', schedule: has 4 fields" in err
    assert "Nothing was applied: 1 problem" in err


def test_commands_without_server_name_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Capture
) -> None:
    """With no server known every command ends with 6 and says what to start; with -o json as a problem document."""
    for name in ("SCHEDULER_SERVER", "SCHEDULER_API_KEY", "SCHEDULER_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SCHEDULER_STATE_DIR", str(tmp_path))
    assert main(["task", "list"]) == 6
    assert "scheduler up" in capsys.readouterr().err
    assert main(["status", "-o", "json"]) == 6
    assert json.loads(capsys.readouterr().err)["code"] == "server_unknown"
