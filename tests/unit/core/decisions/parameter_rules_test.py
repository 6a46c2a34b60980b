"""Parameters of the built-in task types."""

from typing import Any

import pytest

from scheduler_core.decisions.parameter_rules import BUILT_IN_TASK_TYPES, check_parameters
from scheduler_core.errors import Problem


@pytest.mark.parametrize(
    ("task_type", "parameters"),
    [
        ("shell", {"command": ["date", "-u"]}),
        ("shell", {"command": "curl -s x | python3 -; echo $(id) && rm -f {a,b} > /dev/null &", "shell": True}),
        ("shell", {"command": ["sh", "-c", "a;b|c&d$(e)"], "env": {"A": "1", "B_C": ""}, "working_dir": "/tmp"}),
        ("shell", {"command": ["x"], "env": None, "working_dir": None, "shell": False}),
        ("http", {"url": "https://example.org/x?y=1"}),
        ("http", {"method": "post", "url": "http://[::1]:80/", "body": {"a": 1}, "headers": {"X-A": "b"}}),
        ("http", {"url": "http://h", "expected_status": 204}),
        ("http", {"url": "http://h", "expected_status": [200, 404]}),
        ("python", {"callable": "package.module:function"}),
        ("python", {"callable": "m:Class.method", "args": [1, "a"], "kwargs": {"x": None}}),
        ("somebody_elses", {"anything": 1}),
    ],
)
def test_check_parameters_accepts_what_the_contract_names(task_type: str, parameters: dict[str, Any]) -> None:
    """D14: every documented form is accepted, and shell text with ; | & $ ( ) is legitimate."""
    assert check_parameters(task_type, parameters) == []


@pytest.mark.parametrize(
    ("task_type", "parameters", "field", "told"),
    [
        ("shell", {}, "command", "needs command"),
        ("shell", {"command": "date"}, "command", "shell: true"),
        ("shell", {"command": []}, "command", "empty"),
        ("shell", {"command": "  ", "shell": True}, "command", "empty"),
        ("shell", {"command": ["date"], "shell": True}, "command", "one string"),
        ("shell", {"command": ["sleep", 5]}, "command", "5 is a number"),
        ("shell", {"command": [""]}, "command", "the program, is empty"),
        ("shell", {"command": ["a\0b"]}, "command", "NUL"),
        ("shell", {"command": "a\0b", "shell": True}, "command", "NUL"),
        ("shell", {"command": 7}, "command", "not a number"),
        ("shell", {"command": {"a": 1}}, "command", "not an object"),
        ("shell", {"command": ["a"], "shell": "yes"}, "shell", "not a string"),
        ("shell", {"command": ["a"], "env": ["A=1"]}, "env", "not a list"),
        ("shell", {"command": ["a"], "env": {"A": 1}}, "env", "a number"),
        ("shell", {"command": ["a"], "env": {"A=B": "1"}}, "env", "name of an environment variable"),
        ("shell", {"command": ["a"], "env": {"A": "\0"}}, "env", "NUL"),
        ("shell", {"command": ["a"], "working_dir": 1}, "working_dir", "not a number"),
        ("shell", {"command": ["a"], "working_dir": ""}, "working_dir", "empty"),
        ("shell", {"comand": ["a"], "command": ["a"]}, "comand", "Did you mean command?"),
        ("http", {}, "url", "needs url"),
        ("http", {"url": 5}, "url", "not a number"),
        ("http", {"url": "ftp://h/x"}, "url", "http://host/path"),
        ("http", {"url": "http://"}, "url", "http://host/path"),
        ("http", {"url": "http://h:99999/"}, "url", "its port"),
        ("http", {"url": "http://user:hunter2@h/"}, "url", "'http://h/' has a user or password in it"),
        ("http", {"url": "http://h/a b"}, "url", "%20"),
        ("http", {"url": "http://h", "method": "FETCH"}, "method", "'FETCH'"),
        ("http", {"url": "http://h", "method": 1}, "method", "1 is no method"),
        ("http", {"url": "http://h", "headers": {"A": "b\r\nC: d"}}, "headers", "line break"),
        ("http", {"url": "http://h", "headers": {"A": "b\x01"}}, "headers", "control character"),
        ("http", {"url": "http://h", "redirects_max": 99}, "redirects_max", "from 0 to 20"),
        ("http", {"url": "http://h", "headers": {"A B": "c"}}, "headers", "name of a header"),
        ("http", {"url": "http://h", "expected_status": 99}, "expected_status", "99 is no HTTP status"),
        ("http", {"url": "http://h", "expected_status": True}, "expected_status", "True is no HTTP status"),
        ("http", {"url": "http://h", "expected_status": []}, "expected_status", "empty list"),
        ("http", {"url": "http://h", "expected_status": ["2xx"]}, "expected_status", "'2xx'"),
        ("http", {"url": "http://h", "header": {}}, "header", "Did you mean headers?"),
        ("python", {}, "callable", "needs callable"),
        ("python", {"callable": "module.function"}, "callable", "package.module:function"),
        ("python", {"callable": "os:system('x')"}, "callable", "package.module:function"),
        ("python", {"callable": 1}, "callable", "package.module:function"),
        ("python", {"callable": "m:f", "args": {"a": 1}}, "args", "not an object"),
        ("python", {"callable": "m:f", "kwargs": [1]}, "kwargs", "not a list"),
    ],
)
def test_check_parameters_names_what_is_wrong(
    task_type: str, parameters: dict[str, Any], field: str, told: str
) -> None:
    """A refusal names the parameter and what to write instead."""
    problems = check_parameters(task_type, parameters)
    assert [problem.field for problem in problems] == [f"parameters.{field}"]
    assert told in problems[0].message


def test_check_parameters_tells_all_problems_at_once() -> None:
    """Every problem of the parameters is in one answer."""
    problems = check_parameters("shell", {"command": [], "env": {"": "", "B": 2}, "cwd": "/"})
    assert [problem.field for problem in problems] == [
        "parameters.cwd",
        "parameters.command",
        "parameters.env",
        "parameters.env",
    ]


def test_built_in_task_types_are_the_three_of_the_contract() -> None:
    """shell, http and python are built in."""
    assert {"shell", "http", "python"} == BUILT_IN_TASK_TYPES


@pytest.mark.parametrize(
    ("task_type", "parameters"), [("shell", {"command": ["date"]}), ("http", {"url": "http://example.com/"})]
)
def test_check_parameters_leaves_room_for_values_of_templates(task_type: str, parameters: dict[str, Any]) -> None:
    """Shell and http tasks take an object of values; who gives one by itself is told so."""
    assert check_parameters(task_type, {**parameters, "values": {"day": "monday", "n": [1]}}) == []
    (wrong,) = check_parameters(task_type, {**parameters, "values": "monday"})
    assert wrong == Problem("parameters.values", "values is an object of names and values for templates, not a string.")
    (unknown,) = check_parameters(task_type, {**parameters, "day": "monday"})
    assert unknown.message.endswith("What only templates use stands in values.")
    (python,) = check_parameters("python", {"callable": "a:b", "values": {}})
    assert "What only" not in python.message
