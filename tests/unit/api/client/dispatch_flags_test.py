"""Flags and words of what a task says about its dispatch."""

from collections.abc import Mapping
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, run_document, task_document
from scheduler_api.client.client_error import UsageError
from scheduler_api.client.dispatch_words import task_dispatch_fields
from scheduler_api.client.run_view import run_fields
from scheduler_api.client.task_input import TaskFlags
from scheduler_core.runtime.cli import main


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (
            {"strategy": "random", "require_tag": ("a", "b"), "prefer_tag": ("c",), "forbid_tag": ("d",)},
            {"strategy": "random", "required_tags": ["a", "b"], "preferred_tags": ["c"], "forbidden_tags": ["d"]},
        ),
        (
            {"resource": ("cpu=0.5", "memory=2GB", "gpu = 1"), "hash_key": "params.x"},
            {"resources": {"cpu": 0.5, "memory": "2GB", "gpu": 1.0}, "hash_key": "params.x"},
        ),
        (
            {"limit": ("one", "two"), "fairness_key": "params.t", "fairness_weight": "2", "background": True},
            {"limits": ["one", "two"], "fairness_key": "params.t", "fairness_weight": 2.0, "background": True},
        ),
        ({"fairness_weight": "params.w", "background": False}, {"fairness_weight": "params.w", "background": False}),
        ({"fairness_weight": "nan", "resource": ("cpu=inf",)}, {"fairness_weight": "nan", "resources": {"cpu": "inf"}}),
        ({"unique": True}, {"unique": {}}),
        ({"unique": True, "unique_key": "params.x"}, {"unique": {"key": "params.x"}}),
        (
            {"unique_state": ("running", "FAILED"), "unique_window": "10m", "debounce": "5s", "debounce_max": "1m"},
            {
                "unique": {
                    "states": ["RUNNING", "FAILED"],
                    "window": "10m",
                    "debounce": "5s",
                    "debounce_max": "1m",
                }
            },
        ),
        ({"throttle": "1h"}, {"unique": {"throttle": "1h"}}),
        ({"keep": "30d", "keep_runs": 9, "max_losses": 1}, {"keep": "30d", "keep_runs": 9, "max_losses": 1}),
    ],
)
def test_fields_name_the_dispatch(flags: dict[str, Any], fields: dict[str, Any]) -> None:
    """Only given flags are sent, under the API's names; what is no number is left to the server as text."""
    assert TaskFlags(**flags).fields() == fields


@pytest.mark.parametrize("pair", ["cpu", "=1", "cpu=", " = "])
def test_fields_refuse_a_resource_without_its_amount(pair: str) -> None:
    """A usage error names the flag and its form."""
    with pytest.raises(UsageError, match=r"--resource: .* must have the form NAME=AMOUNT"):
        TaskFlags(resource=(pair,)).fields()


def test_task_update_takes_dispatch_away(fake_api: FakeApi) -> None:
    """Each --no flag sends what means nothing, and contradicts the flag that sets the same."""
    fake_api.answer("PATCH", "/api/v1/tasks/a", task_document())
    flags = ("strategy", "tags", "resources", "hash-key", "limits", "fairness", "unique", "keep")
    assert main(["task", "update", "a", *(f"--no-{flag}" for flag in flags)]) == 0
    assert fake_api.requests[0].body == {
        "strategy": None,
        "required_tags": [],
        "preferred_tags": [],
        "forbidden_tags": [],
        "resources": {},
        "hash_key": None,
        "limits": [],
        "fairness_key": None,
        "fairness_weight": 1,
        "unique": None,
        "keep": None,
        "keep_runs": None,
    }


def test_task_update_refuses_a_removal_beside_its_flag(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody can tell what was meant, so nothing is sent."""
    assert main(["task", "update", "a", "--no-limits", "--limit", "x"]) == 2
    assert "--no-limits contradicts the flag that sets limits" in capsys.readouterr().err
    assert fake_api.requests == []


def test_task_create_sends_dispatch(fake_api: FakeApi) -> None:
    """The flags reach the server from the command line, lists one by one."""
    fake_api.answer("POST", "/api/v1/tasks", task_document())
    words = ["--limit", "x", "--limit", "y", "--resource", "memory=1GB", "--background", "--unique"]
    assert main(["task", "create", "n", "--command", "c", *words]) == 0
    body = fake_api.requests[0].body
    assert {name: body[name] for name in ("limits", "resources", "background", "unique")} == {
        "limits": ["x", "y"],
        "resources": {"memory": "1GB"},
        "background": True,
        "unique": {},
    }


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["task", "trigger", "a"], "/api/v1/tasks/a/trigger"),
        (["flow", "rerun", "7", "--from-start"], "/api/v1/flows/7/rerun"),
    ],
)
def test_background_is_sent_only_when_asked_for(fake_api: FakeApi, words: list[str], path: str) -> None:
    """A trigger and a rerun go to the background with the flag alone."""
    made = {**run_document(status="PENDING"), "flow_id": 8, "rerun": [], "run_count": 1}
    fake_api.answer("POST", path, made)
    assert main([*words, "-q"]) == 0
    assert main([*words, "-q", "--background"]) == 0
    bodies = [each.body for each in fake_api.requests if each.method == "POST"]
    assert "background" not in bodies[0]
    assert bodies[1] == {**bodies[0], "background": True}


UNIQUE = {"key": None, "states": ["PENDING"], "window": None, "debounce": None, "debounce_max": None, "throttle": None}


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"strategy": "random", "hash_key": "params.x"}, {"Strategy": "random", "Hash key": "params.x"}),
        (
            {"required_tags": ["gpu"], "preferred_tags": ["ssd"], "forbidden_tags": ["old"]},
            {"Tags": "gpu, rather ssd, not old"},
        ),
        ({"resources": {"memory": 1610612736.0, "cpu": 2.0}}, {"Resources": "cpu 2, memory 1.5GB"}),
        ({"limits": ["a", "b"]}, {"Limits": "a, b"}),
        ({"fairness_key": "params.t", "fairness_weight": 1.0}, {"Fairness": "places in turn by params.t"}),
        ({"fairness_key": "params.t", "fairness_weight": 2.5}, {"Fairness": "places in turn by params.t, weight 2.5"}),
        ({"fairness_key": "k", "fairness_weight": "params.w"}, {"Fairness": "places in turn by k, weight params.w"}),
        ({"background": True}, {"Background": "yes: after all others, but for a guaranteed share"}),
        ({"unique": UNIQUE}, {"Unique": "one run of the task, while PENDING"}),
        (
            {"unique": {**UNIQUE, "key": "params.x", "window": "10m", "debounce": 1.5, "debounce_max": "5m"}},
            {"Unique": "by params.x, each trigger puts it off by 1.5 s, at most 5m"},
        ),
        ({"unique": {**UNIQUE, "debounce": "1h"}}, {"Unique": "one run of the task, each trigger puts it off by 1h"}),
        (
            {"unique": {**UNIQUE, "key": "params.x", "window": "10m"}},
            {"Unique": "by params.x, while PENDING, made within 10m"},
        ),
        ({"unique": {**UNIQUE, "throttle": "1h"}}, {"Unique": "one run of the task, one within 1h"}),
        ({"keep": "30d", "keep_runs": 5}, {"Kept": "for 30d, the last 5 finished runs"}),
        ({"keep_runs": 1}, {"Kept": "the last finished run"}),
        ({"max_losses": 2}, {"Quarantine": "after 2 lost workers"}),
        ({"max_losses": 1}, {"Quarantine": "after 1 lost worker"}),
        ({"max_losses": 5, "fairness_weight": 1.0, "limits": [], "background": False}, {}),
    ],
)
def test_task_dispatch_fields_tell_what_is_set(fields: Mapping[str, Any], lines: Mapping[str, str]) -> None:
    """Each field has its words, and what is not set none."""
    assert dict(task_dispatch_fields(fields)) == lines


def test_task_show_tells_the_dispatch(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines stand in the task's picture."""
    fake_api.answer("GET", "/api/v1/tasks/a", task_document(limits=["customer-api"], schedule=None))
    assert main(["task", "show", "a"]) == 0
    assert "Limits\tcustomer-api\n" in capsys.readouterr().out


def test_run_fields_tell_lane_and_worker() -> None:
    """A run in the background says so, and for whom it is meant until a worker has it."""
    waiting = dict(run_fields(run_document(background=True, assigned_worker_id="w", worker_id=None)))
    assert (waiting["Background"][:3], waiting["Meant for"]) == ("yes", "w")
    running = dict(run_fields(run_document(background=False, assigned_worker_id="w")))
    assert "Background" not in running
    assert "Meant for" not in running
