"""What the built-in task types accept as parameters. Shell text is taken as it is: ; | & $ ( ) are legitimate."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from scheduler_core.decisions.http_option_rules import HTTP_OPTIONS, http_option_problems
from scheduler_core.decisions.job_caps import caps_problems
from scheduler_core.decisions.nearest import hint
from scheduler_core.decisions.python_option_rules import PYTHON_OPTIONS, python_option_problems
from scheduler_core.decisions.url_rules import url_problem
from scheduler_core.errors import Problem

HTTP_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

_KEYS: Mapping[str, tuple[str, ...]] = {
    "shell": ("command", "shell", "env", "working_dir", "caps", "run_as", "nice", "values"),
    "http": ("method", "url", "headers", "body", "expected_status", *HTTP_OPTIONS, "values"),
    "python": ("callable", "args", "kwargs", *PYTHON_OPTIONS),
}
BUILT_IN_TASK_TYPES = frozenset(_KEYS)

TEXT_PARAMETERS: Mapping[str, frozenset[str]] = {
    "shell": frozenset({"command", "env", "working_dir"}),
    "http": frozenset({"method", "url", "headers"}),
}
"""The parameters that consist of texts, by task type: what their templates give is made text."""

_NICE_MAX = 19
_CALLABLE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_parameters(task_type: str, parameters: Mapping[str, Any], open_keys: Collection[str] = ()) -> list[Problem]:
    """Everything that is wrong with the parameters of a built-in type; other types are not judged here.

    The values of `open_keys` are templates, of which nobody knows yet what they become.

    >>> check_parameters("shell", {"command": "date | wc -l; echo $(id)", "shell": True})
    []
    >>> check_parameters("python", {"callabel": "a:b"})[0]
    Problem(field='parameters.callabel', message='A python task has no such parameter. Did you mean callable?')
    """
    if task_type not in _KEYS:
        return []
    known = _KEYS[task_type]
    unknown = [
        Problem(f"parameters.{key}", unknown_parameter(task_type, key)) for key in parameters if key not in known
    ]
    told = ((key, message) for key, message in _CHECKS[task_type](parameters) if key not in open_keys)
    return unknown + [Problem(f"parameters.{key}", message) for key, message in told]


def parameter_names(task_type: str) -> tuple[str, ...] | None:
    """The parameters that a task type knows; None for a type that is not built in."""
    return _KEYS.get(task_type)


def unknown_parameter(task_type: str, key: str) -> str:
    """What to say of a parameter that a built-in task type does not know."""
    known = _KEYS[task_type]
    remedy = " What only templates use stands in values." if "values" in known else ""
    return f"{_ARTICLE[task_type]} {task_type} task has no such parameter.{hint(key, known)}{remedy}"


def _check_values(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    values = parameters.get("values")
    if values is not None and not isinstance(values, Mapping):
        yield "values", f"values is an object of names and values for templates, not {_kind(values)}."


def _check_shell(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    command, shell = parameters.get("command"), parameters.get("shell", False)
    if not isinstance(shell, bool):
        yield "shell", f"shell is true or false, not {_kind(shell)}."
    elif command is None:
        yield "command", 'A shell task needs command: a list such as ["date", "-u"], or a string with shell: true.'
    elif isinstance(command, str):
        if not command.strip():
            yield "command", "The command is empty."
        elif not shell:
            yield "command", 'A command in one string needs shell: true. Without a shell, write a list: ["date", "-u"].'
        elif "\0" in command:
            yield "command", "The command contains a NUL character, which no program can receive."
    else:
        yield from _check_argv(command, shell)
    yield from _check_text_map("env", parameters.get("env"), _environment_problem)
    yield from _check_text("working_dir", parameters.get("working_dir"))
    yield from _check_text("run_as", parameters.get("run_as"))
    if (caps := parameters.get("caps")) is not None:
        yield from (("caps", problem) for problem in caps_problems(caps))
    nice = parameters.get("nice")
    if nice is not None and (not isinstance(nice, int) or isinstance(nice, bool) or not 0 <= nice <= _NICE_MAX):
        yield "nice", f"nice is {nice!r:.80}. Give a whole number from 0 to {_NICE_MAX}; the greater, the nicer."
    yield from _check_values(parameters)


def _check_argv(command: Any, shell: bool) -> Iterator[tuple[str, str]]:
    if not isinstance(command, list | tuple):
        yield "command", f"command is a list of strings, or one string with shell: true, not {_kind(command)}."
    elif not command:
        yield "command", "The command is empty."
    elif any(not isinstance(part, str) for part in command):
        bad = next(part for part in command if not isinstance(part, str))
        yield "command", f"Every part of the command is a string; {bad!r:.80} is {_kind(bad)}. Put it in quotes."
    elif not command[0]:
        yield "command", "The first part of the command, the program, is empty."
    elif any("\0" in part for part in command):
        yield "command", "The command contains a NUL character, which no program can receive."
    elif shell:
        yield "command", "With shell: true the command is one string. Write it as one, or remove shell."


def _environment_problem(name: str, value: str) -> str | None:
    if not name or "=" in name or "\0" in name:
        return f"'{name[:80]}' cannot be the name of an environment variable: it is empty or contains = or NUL."
    return f"The value of '{name[:80]}' contains a NUL character." if "\0" in value else None


def _check_http(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    method = parameters.get("method", "GET")
    if not isinstance(method, str) or method.upper() not in HTTP_METHODS:
        yield "method", f"{method!r:.80} is no method this task type sends. Use one of {', '.join(HTTP_METHODS)}."
    if (problem := url_problem(parameters.get("url"))) is not None:
        yield "url", problem
    yield from _check_text_map("headers", parameters.get("headers"), _header_problem)
    expected = parameters.get("expected_status")
    statuses = expected if isinstance(expected, list | tuple) else [] if expected is None else [expected]
    if expected is not None and not statuses:
        yield "expected_status", "expected_status is an empty list, so no answer could ever be right."
    for status in statuses:
        if not isinstance(status, int) or isinstance(status, bool) or not 100 <= status <= 599:
            yield "expected_status", f"{status!r:.80} is no HTTP status. Use numbers from 100 to 599: one, or a list."
    yield from http_option_problems(parameters)
    yield from _check_values(parameters)


def _header_problem(name: str, value: str) -> str | None:
    if not _HEADER_NAME.fullmatch(name):
        return f"'{name[:80]}' cannot be the name of a header."
    if any((character < " " and character != "\t") or character == "\x7f" for character in value):
        return f"The value of '{name[:80]}' contains a line break or control character, which a header cannot carry."
    return None


def _check_python(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    target = parameters.get("callable")
    if target is None:
        yield "callable", 'A python task needs callable, such as "package.module:function".'
    elif not isinstance(target, str) or not _CALLABLE.fullmatch(target):
        yield "callable", f'{target!r:.200} is not of the form "package.module:function".'
    args = parameters.get("args")
    if args is not None and not isinstance(args, list | tuple):
        yield "args", f"args is a list, not {_kind(args)}."
    kwargs = parameters.get("kwargs")
    if kwargs is not None and not isinstance(kwargs, Mapping):
        yield "kwargs", f"kwargs is an object of names and values, not {_kind(kwargs)}."
    yield from python_option_problems(parameters)


def _check_text(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if value is not None and not isinstance(value, str):
        yield key, f"{key} is a string, not {_kind(value)}."
    elif value is not None and (not value or "\0" in value):
        yield key, f"{key} is empty or contains a NUL character."


def _check_text_map(key: str, value: Any, problem_of: Callable[[str, str], str | None]) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if not isinstance(value, Mapping):
        yield key, f"{key} is an object of names and strings, not {_kind(value)}."
        return
    for name, text in value.items():
        if not isinstance(name, str) or not isinstance(text, str):
            yield key, f"The value of '{name}' is a string, not {_kind(text)}. Put it in quotes."
        elif (problem := problem_of(name, text)) is not None:
            yield key, problem


def _kind(value: Any) -> str:
    """The JSON name of what was given."""
    if value is None:
        return "null"
    for types, name in (
        (bool, "true or false"),
        (int | float, "a number"),
        (str, "a string"),
        (Mapping, "an object"),
        (list | tuple, "a list"),
    ):
        if isinstance(value, types):
            return name
    return f"a {type(value).__name__}"


_ARTICLE = {"shell": "A", "http": "An", "python": "A"}
_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[tuple[str, str]]]] = {
    "shell": _check_shell,
    "http": _check_http,
    "python": _check_python,
}
