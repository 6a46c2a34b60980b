"""Commands for limits, and limits in task files."""

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, page_of
from scheduler_api.client.client_error import UsageError
from scheduler_api.client.limit_name_completion import complete_limit_names
from scheduler_api.client.task_file import read_files, read_task_files
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_core.runtime.cli import main

Capture = pytest.CaptureFixture[str]
LIMITS = "/api/v1/limits"
APPLY = "/api/v1/tasks/apply"


def limit_document(**changes: Any) -> dict[str, Any]:
    """A limit as the API gives it."""
    return {
        "id": 3,
        "namespace": "default",
        "name": "customer-api",
        "description": "",
        "key": "params.customer",
        "concurrent": 2,
        "rate": 100,
        "rate_seconds": 60.0,
        "burst": None,
        "tasks": ["a", "b"],
        "created_at": "2026-11-24T06:00:00Z",
        "updated_at": "2026-11-24T06:00:00Z",
        **changes,
    }


def use_document(**changes: Any) -> dict[str, Any]:
    """A key of a limit as the API gives it."""
    return {
        "key": "acme",
        "running": 2,
        "claimable": 0,
        "waiting": 7,
        "holders": [11, 12],
        "free_at": None,
        **changes,
    }


def test_limit_create_sends_the_flags_as_they_are(fake_api: FakeApi, capsys: Capture) -> None:
    """A rate goes to the server as it was written, and what comes back is shown."""
    fake_api.answer("POST", LIMITS, limit_document(), status=201)
    words = ["--concurrent", "2", "--rate", "100/min", "--key", "params.customer", "--namespace", "n"]
    assert main(["limit", "create", "customer-api", *words]) == 0
    out, err = capsys.readouterr()
    (request,) = fake_api.requests
    assert request.body == {
        "name": "customer-api",
        "namespace": "n",
        "concurrent": 2,
        "rate": "100/min",
        "key": "params.customer",
    }
    assert "Idempotency-Key" in request.headers
    assert "Rate\t100/min\n" in out
    assert "Burst\t100\n" in out
    assert "--limit customer-api" in err


def test_limit_create_dry_run_says_what_would_be(fake_api: FakeApi, capsys: Capture) -> None:
    """It asks for a dry run of a list without tasks, and a problem loses its place in that list."""
    answer = {"items": [], "limits": [{"change": "created"}], "dry_run": True}
    taken = {**answer, "limits": [{"change": "unchanged"}]}
    fake_api.answer("POST", APPLY, answer, answer, taken)
    assert main(["limit", "create", "a", "--rate", "1/s", "--dry-run"]) == 0
    assert "would be created" in capsys.readouterr().err
    body = {"tasks": [], "limits": [{"name": "a", "rate": "1/s"}], "dry_run": True}
    assert fake_api.requests[0].body == body
    assert main(["limit", "create", "a", "--rate", "1/s", "--dry-run", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dry_run": True, "change": "created"}
    assert main(["limit", "create", "a", "--dry-run"]) == 5
    assert "'a' already" in capsys.readouterr().err
    problem = {"errors": [{"field": "limits.0.rate", "message": "rate 0 would let no run start."}]}
    fake_api.answer("POST", APPLY, problem, status=422)
    assert main(["limit", "create", "a", "--rate", "0/s", "--dry-run"]) == 2
    err = capsys.readouterr().err
    assert "rate: rate 0 would let no run start." in err
    assert "limits.0" not in err


def test_limit_list_tells_what_each_allows(fake_api: FakeApi, capsys: Capture) -> None:
    """A line for each, "-" for what it does not limit; none at all tells how to declare one."""
    bare = limit_document(id=4, name="x", key=None, rate=None, rate_seconds=None, tasks=[])
    fake_api.answer("GET", LIMITS, page_of(limit_document(burst=150), bare), page_of(limit_document()), page_of())
    assert main(["limit", "list"]) == 0
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == [
        ["ID", "NAME", "KEY", "AT ONCE", "RATE", "BURST", "TASKS"],
        ["3", "customer-api", "params.customer", "2", "100/min", "150", "a, b"],
        ["4", "x", "-", "2", "-", "-", "-"],
    ]
    assert main(["limit", "ls", "-o", "json", "--namespace", "n"]) == 0
    assert json.loads(capsys.readouterr().out) == page_of(limit_document())
    assert fake_api.requests[1].query["namespace"] == ["n"]
    assert main(["limit", "list"]) == 0
    assert "scheduler limit create" in capsys.readouterr().err


def test_limit_show_tells_how_its_keys_stand(fake_api: FakeApi, capsys: Capture) -> None:
    """Each key with what holds it, what waits and when the next may start; as JSON the limit with its keys."""
    uses = [
        use_document(),
        use_document(key="", running=12, holders=list(range(1, 11)), waiting=0, free_at="2026-11-24T06:00:09Z"),
        use_document(key="idle", running=0, holders=[]),
    ]
    fake_api.answer("GET", f"{LIMITS}/customer-api", limit_document())
    fake_api.answer("GET", f"{LIMITS}/customer-api/keys", {"items": uses})
    assert main(["limit", "show", "customer-api", "--keys", "5"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()[-4:]]
    assert rows[0] == ["KEY", "RUNNING", "CLAIMABLE", "WAITING", "NEXT START", "HELD BY"]
    assert rows[1] == ["acme", "2 of 2", "0", "7", "-", "11, 12"]
    assert (rows[2][0], rows[2][5]) == ("", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more")
    assert rows[2][4] != "-"
    assert (rows[3][1], rows[3][5]) == ("0 of 2", "-")
    assert fake_api.requests[1].query == {"limit": ["5"]}
    assert main(["limit", "show", "customer-api", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {**limit_document(), "keys": uses}
    fake_api.answer("GET", f"{LIMITS}/customer-api/keys", {"items": []})
    assert main(["limit", "show", "customer-api"]) == 0
    assert "Nothing runs or waits" in capsys.readouterr().err
    assert main(["limit", "show", "customer-api", "--keys", "0"]) == 2


def test_limit_update_changes_and_takes_away(fake_api: FakeApi, capsys: Capture) -> None:
    """Only what is named is sent, null for what is taken away; nothing, or both at once, is refused."""
    fake_api.answer("PATCH", f"{LIMITS}/a", limit_document())
    assert main(["limit", "update", "a", "--rate", "5/s", "--no-concurrent", "--no-key", "--namespace", "n"]) == 0
    (request,) = fake_api.requests
    assert request.body == {"rate": "5/s", "concurrent": None, "key": None}
    assert request.query == {"namespace": ["n"]}
    capsys.readouterr()
    assert main(["limit", "update", "a"]) == 2
    assert "Nothing to change" in capsys.readouterr().err
    assert main(["limit", "update", "a", "--rate", "5/s", "--no-rate"]) == 2
    assert "--no-rate contradicts --rate" in capsys.readouterr().err
    assert len(fake_api.requests) == 1


def test_limit_update_dry_run_says_what_would_be(fake_api: FakeApi, capsys: Capture) -> None:
    """The limit as it would become is judged, and nothing is changed; what goes with a rate goes with it."""
    answer = {"items": [], "limits": [{"change": "updated"}], "dry_run": True}
    same = {**answer, "limits": [{"change": "unchanged"}]}
    fake_api.answer("GET", f"{LIMITS}/3", limit_document(burst=9, namespace="n"))
    fake_api.answer("POST", APPLY, answer, same, answer)
    words = ["limit", "update", "3", "--namespace", "n", "--dry-run"]
    assert main([*words, "--concurrent", "7"]) == 0
    assert "Limit 'customer-api' would be changed." in capsys.readouterr().err
    stays = {"name": "customer-api", "namespace": "n", "description": "", "key": "params.customer"}
    whole = {**stays, "concurrent": 7, "rate": 100, "rate_seconds": 60.0, "burst": 9}
    asked = [each for each in fake_api.requests if each.method == "POST"]
    assert asked[0].body == {"tasks": [], "limits": [whole], "dry_run": True}
    assert fake_api.requests[0].query == {"namespace": ["n"]}
    assert main([*words, "--rate", "5/s"]) == 0
    assert "would stay as it is" in capsys.readouterr().err
    assert main([*words, "--no-rate", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dry_run": True, "change": "updated"}
    bodies = [each.body["limits"][0] for each in fake_api.requests if each.method == "POST"]
    assert bodies[1:] == [
        {**stays, "concurrent": 2, "rate": "5/s", "burst": 9},
        {**stays, "concurrent": 2, "rate": None},
    ]
    problem = {"errors": [{"field": "limits.0.concurrent", "message": "concurrent 0 would let no run start."}]}
    fake_api.answer("POST", APPLY, problem, status=422)
    assert main([*words, "--concurrent", "0"]) == 2
    err = capsys.readouterr().err
    assert "concurrent 0 would let no run start." in err
    assert "limits.0" not in err
    assert {each.method for each in fake_api.requests} == {"GET", "POST"}


def test_limit_delete_asks_first(fake_api: FakeApi, capsys: Capture) -> None:
    """Where nobody can be asked it needs --yes; a refusal of the server is told."""
    fake_api.answer("DELETE", f"{LIMITS}/a", limit_document())
    assert main(["limit", "delete", "a"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["limit", "rm", "a", "--yes"]) == 0
    assert "'customer-api' is deleted" in capsys.readouterr().err
    fake_api.answer("DELETE", f"{LIMITS}/a", {"detail": "'t' uses it."}, status=409)
    assert main(["limit", "delete", "a", "--yes"]) == 5
    assert "'t' uses it" in capsys.readouterr().err


def test_limit_names_are_completed(fake_api: FakeApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names come with what the limits allow, and are not mixed up with those of tasks."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fake_api.answer("GET", LIMITS, page_of(limit_document()))
    fake_api.answer("GET", "/api/v1/tasks", page_of())
    assert complete_task_names(None) == []
    assert complete_limit_names(None) == [("customer-api", "2 at once, 100/min, by params.customer")]
    assert complete_limit_names(None) != []
    assert len(fake_api.requests) == 2


def write(tmp_path: Path, name: str, text: str) -> str:
    """Write a file and return its path."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_files_may_declare_limits(tmp_path: Path) -> None:
    """TOML tables and YAML lists, beside tasks or alone; who wants only tasks gets only these."""
    both = write(
        tmp_path, "a.toml", '[[limit]]\nname = "l"\nrate = "5/s"\n[[task]]\nname = "a"\n[[limits]]\nname = "m"\n'
    )
    alone = write(tmp_path, "b.yaml", "limits:\n  - {name: n, concurrent: 1}\n")
    content = read_files([both, alone])
    assert [each.definition for each in content.limits] == [
        {"name": "l", "rate": "5/s"},
        {"name": "m"},
        {"name": "n", "concurrent": 1},
    ]
    assert [each.place for each in content.limits][1:] == [f"{both}, limit 'm'", f"{alone}, limit 'n'"]
    assert [each.definition for each in content.tasks] == [{"name": "a"}]
    assert read_task_files([both]) == content.tasks


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[limit]]\nname = "l"\n[[limit]]\nname = "l"\n', "is the second limit of this name"),
        ("limit = [1]\n", "limit number 1"),
        ('[[limit]]\nname = "l"\nconcurrent = nan\n', "limit 'l', concurrent"),
        ('[[limt]]\nname = "l"\n', "Did you mean limit"),
    ],
)
def test_files_with_bad_limits_are_told_with_their_place(tmp_path: Path, text: str, told: str) -> None:
    """Every fault names the file, and the limit and field where there is one."""
    with pytest.raises(UsageError, match=told):
        read_files([write(tmp_path, "a.toml", text)])


def test_a_task_and_a_limit_may_share_a_name(tmp_path: Path) -> None:
    """They are different things."""
    read_files([write(tmp_path, "a.toml", '[[limit]]\nname = "x"\n[[task]]\nname = "x"\n')])


def test_task_apply_sends_limits_in_the_same_request(fake_api: FakeApi, capsys: Capture, tmp_path: Path) -> None:
    """Limits have a table of their own above, and count with the rest."""
    file = write(tmp_path, "a.toml", '[[limit]]\nname = "l"\nconcurrent = 1\n[[task]]\nname = "a"\nlimits = ["l"]\n')
    answer = {"items": [{"change": "created"}], "limits": [{"change": "updated"}], "dry_run": False}
    fake_api.answer("POST", APPLY, answer)
    assert main(["task", "apply", file]) == 0
    out, err = capsys.readouterr()
    assert fake_api.requests[0].body == {
        "tasks": [{"name": "a", "limits": ["l"]}],
        "limits": [{"name": "l", "concurrent": 1}],
        "dry_run": False,
    }
    assert out == f"LIMIT\tCHANGE\tFILE\nl\tupdated\t{file}\n\nTASK\tCHANGE\tFILE\na\tcreated\t{file}\n"
    assert err == "1 created, 1 updated, 0 unchanged.\n"
    problem = {
        "errors": [{"field": "limits.0.concurrent", "message": "bad"}, {"field": "tasks.0.name", "message": "b"}]
    }
    fake_api.answer("POST", APPLY, problem, status=422)
    assert main(["task", "apply", file]) == 2
    err = capsys.readouterr().err
    assert "a.toml, limit 'l', concurrent: bad" in err
    assert "a.toml, task 'a', name: b" in err
