"""Flags and pictures of what a task waits for, and as how many runs it runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures.fake_api import FakeApi, task_document
from scheduler_api.client.client_error import UsageError
from scheduler_api.client.task_file import read_task_files
from scheduler_api.client.task_flow_words import show_dependencies, task_flow_fields
from scheduler_api.client.task_input import TaskFlags
from scheduler_core.runtime.cli import main


@pytest.mark.parametrize(
    ("flags", "fields"),
    [
        (
            {"depends_on": ("a", "b:c"), "depends_on_interval": ("hourly:contained",)},
            {"dependencies": ["a", "b:c", {"task": "hourly", "interval": "contained"}]},
        ),
        (
            {"depends_on_interval": ("a:b, c:within:6h,condition=at_least:20, deadline=3h,on_unmet=run",)},
            {
                "dependencies": [
                    {
                        "task": "a:b, c",
                        "interval": "within:6h",
                        "condition": "at_least:20",
                        "deadline": "3h",
                        "on_unmet": "run",
                    }
                ]
            },
        ),
        (
            {"depends_on_interval": ("a:previous:2",), "trigger_rule": "all_done", "when": "params.x > 0"},
            {
                "dependencies": [{"task": "a", "interval": "previous:2"}],
                "trigger_rule": "all_done",
                "when": "params.x > 0",
            },
        ),
        ({"sub_flow": "other"}, {"task_type": "flow", "parameters": {}, "sub_flow": "other"}),
        (
            {"shards": 0, "max_parallel": "2", "tolerated_failures": 0, "continue_on_failure": False},
            {"shards": 0, "max_parallel": 2, "tolerated_failures": 0, "continue_on_failure": False},
        ),
        (
            {"map_over": "upstream.a.result", "max_parallel": "none"},
            {"map_over": "upstream.a.result", "max_parallel": None},
        ),
        ({"broadcast": True}, {"broadcast": True}),
        ({"parameters_schema": ' {"type": "object"}'}, {"parameters_schema": {"type": "object"}}),
    ],
)
def test_fields_name_the_place_in_a_flow(flags: dict[str, Any], fields: dict[str, Any]) -> None:
    """Only given flags are sent, under the API's names; a name may have a colon or a comma itself."""
    assert TaskFlags(**flags).fields() == fields


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"depends_on_interval": ("hourly",)}, "must have the form NAME:INTERVAL"),
        ({"depends_on_interval": ("hourly:same,until=5",)}, "there is no option 'until'. Known: condition"),
        ({"max_parallel": "0"}, "'0' must be a whole number of at least 1"),
        ({"sub_flow": "a", "command": "b"}, "--command and --sub-flow exclude each other"),
        ({"sub_flow": "a", "type": "shell"}, "contradicts --type shell"),
        ({"parameters_schema": "{"}, "is not JSON"),
        ({"parameters_schema": "/no/such/file"}, "cannot be read: no such file"),
    ],
)
def test_fields_refuse_what_cannot_be_read(flags: dict[str, Any], told: str) -> None:
    """A usage error names the flag and what to write instead."""
    with pytest.raises(UsageError, match=told.replace("(", r"\(")):
        TaskFlags(**flags).fields()


def test_fields_read_a_schema_from_a_file(tmp_path: Path) -> None:
    """What is not JSON itself names a file."""
    file = tmp_path / "schema.json"
    file.write_text('{"type": "object"}')
    assert TaskFlags(parameters_schema=str(file)).fields() == {"parameters_schema": {"type": "object"}}


def test_task_create_with_a_sub_flow_needs_no_type(fake_api: FakeApi) -> None:
    """A sub-flow is work enough, whatever else is said about the group."""
    fake_api.answer("POST", "/api/v1/tasks", task_document())
    assert main(["task", "create", "n", "--sub-flow", "load", "--tolerated-failures", "1"]) == 0
    assert fake_api.requests[0].body == {
        "name": "n",
        "task_type": "flow",
        "parameters": {},
        "sub_flow": "load",
        "tolerated_failures": 1,
    }


def test_task_update_takes_away_what_makes_a_group(fake_api: FakeApi) -> None:
    """--no-group sends every field of a group, those that are given with their values; others have their own flags."""
    fake_api.answer("PATCH", "/api/v1/tasks/a", task_document())
    flags = ["--no-group", "--shards", "2", "--no-when", "--no-parameters-schema", "--no-continue-on-failure"]
    assert main(["task", "update", "a", *flags]) == 0
    assert fake_api.requests[0].body == {
        "sub_flow": None,
        "shards": 2,
        "map_over": None,
        "broadcast": False,
        "max_parallel": None,
        "tolerated_failures": 0,
        "when": None,
        "parameters_schema": None,
        "continue_on_failure": False,
    }
    assert main(["task", "update", "a", "--no-when", "--when", "x"]) == 2


@pytest.mark.parametrize(
    ("fields", "group"),
    [
        ({"sub_flow": "load", "tolerated_failures": 2}, "the flow of load, 2 may fail"),
        ({"shards": 1}, "1 shard"),
        ({"shards": 4, "max_parallel": 2}, "4 shards, at most 2 at once"),
        ({"map_over": "upstream.a.result"}, "a run for each item of upstream.a.result"),
        ({"broadcast": True}, "a run on each live worker of the queue"),
    ],
)
def test_task_flow_fields_tell_the_group(fields: Mapping[str, Any], group: str) -> None:
    """Each kind of group has its words, with its limits behind them."""
    assert task_flow_fields(fields) == [("Group", group)]


def test_task_show_tells_the_place_in_a_flow(fake_api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    """What is set is told, dependencies on intervals with all that belongs to them."""
    interval = {"task": "hourly", "interval": "contained", "condition": "at_least:20", "deadline": "3h"}
    document = task_document(
        dependencies=["x", {**interval, "on_unmet": "run"}],
        trigger_rule="all_done",
        when="params.x > 0",
        continue_on_failure=True,
        parameters_schema={"type": "object"},
    )
    fake_api.answer("GET", "/api/v1/tasks/extract", document)
    fake_api.answer("GET", "/api/v1/tasks", {"items": [document], "next_cursor": None})
    assert main(["task", "show", "extract"]) == 0
    shown = capsys.readouterr().out
    for words in ("x, hourly (contained, at_least:20, by 3h after the slot, else run)", "all_done", "params.x > 0"):
        assert words in shown
    assert '"type": "object"' in shown
    assert "passes for a success" in shown
    assert main(["task", "list"]) == 0
    assert "x, hourly (contained)" in capsys.readouterr().out
    assert task_flow_fields(task_document()) == []
    assert show_dependencies([]) == "-"


TOML = """
[[task]]
name = "daily"
dependencies = ["x", { task = "hourly", interval = "within:6h", deadline = "3h" }]
trigger_rule = "all_done"
shards = 3
"""
YAML = """
tasks:
  - name: daily
    dependencies:
      - x
      - {task: hourly, interval: "within:6h", deadline: 3h}
    trigger_rule: all_done
    shards: 3
"""


@pytest.mark.parametrize(("name", "text"), [("a.toml", TOML), ("a.yaml", YAML)])
def test_task_files_carry_flows(tmp_path: Path, name: str, text: str) -> None:
    """Both kinds of file say the same about a flow."""
    file = tmp_path / name
    file.write_text(text)
    assert read_task_files([str(file)])[0].definition == {
        "name": "daily",
        "dependencies": ["x", {"task": "hourly", "interval": "within:6h", "deadline": "3h"}],
        "trigger_rule": "all_done",
        "shards": 3,
    }


@pytest.mark.parametrize(
    ("flag", "value", "remedy"),
    [
        ("when", "none", "--no-when"),
        ("map_over", "None", "--no-group"),
        ("shards", "none", "--no-group"),
        ("sub_flow", "none", "--no-group"),
        ("depends_on", ("none",), "--no-depends-on"),
    ],
)
def test_fields_names_the_flag_that_takes_away(flag: str, value: Any, remedy: str) -> None:
    """Who writes none for what has no such value is told how it is taken away."""
    with pytest.raises(UsageError, match=remedy):
        TaskFlags(**{flag: value}).fields()


def test_fields_say_what_shards_are() -> None:
    """A word is no number of shards."""
    with pytest.raises(UsageError, match="'many' must be a whole number"):
        TaskFlags(command="true", shards="many").fields()
