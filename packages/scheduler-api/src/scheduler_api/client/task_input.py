"""Turns flags into the JSON of a task: parameters, schedule, and only the fields that were given."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.flow_flags import read_schema
from scheduler_api.client.run_flags import RunFlags
from scheduler_core.errors import Problem

_WHAT = Group("What to run", sort_key=10)
_HOW = Group("How", sort_key=30)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TaskFlags(RunFlags):
    """The fields of a task that can be given as flags; None means that the flag was not given."""

    type: Annotated[
        str | None, Parameter(group=_WHAT, help="shell, http, python or another type that a worker knows.")
    ] = None
    command: Annotated[str | None, Parameter(group=_WHAT, help="Shell text, given to sh -c; implies --type shell.")] = (
        None
    )
    url: Annotated[str | None, Parameter(group=_WHAT, help="Address to request; implies --type http.")] = None
    callable: Annotated[str | None, Parameter(group=_WHAT, help="module:function to call; implies --type python.")] = (
        None
    )
    param: Annotated[
        tuple[str, ...],
        Parameter(
            group=_WHAT,
            negative=(),
            show_default=False,
            help="A parameter: KEY=TEXT, or KEY:=JSON for other values. Can be repeated.",
        ),
    ] = ()
    params: Annotated[
        str | None, Parameter(group=_WHAT, help="All parameters as one JSON object; --param wins over it.")
    ] = None
    parameters_schema: Annotated[
        str | None, Parameter(group=_WHAT, help="JSON Schema that the parameters keep: a file, or JSON.")
    ] = None
    queue: Annotated[str | None, Parameter(group=_HOW, help="Queue whose workers take the runs [default].")] = None
    priority: Annotated[int | None, Parameter(group=_HOW, help="Greater goes first [5].")] = None
    namespace: Annotated[str | None, Parameter(group=_HOW, help="Namespace of the task [default].")] = None
    description: Annotated[str | None, Parameter(group=_HOW, help="A sentence for people.")] = None

    def fields(self, argv: Sequence[str] = ()) -> dict[str, Any]:
        """The given fields as the API names them; raises UsageError for flags that contradict each other."""
        fields: dict[str, Any] = {}
        task_type, parameters = self._work(argv)
        if task_type is not None:
            fields["task_type"] = task_type
        if parameters is not None:
            fields["parameters"] = parameters
        fields.update(self.schedule_fields())
        fields.update(self.flow_fields())
        fields.update(self.dispatch_fields())
        if self.parameters_schema is not None:
            fields["parameters_schema"] = read_schema(self.parameters_schema)
        fields.update(self.run_fields())
        for name in ("queue", "priority", "namespace", "description"):
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        return fields

    def _work(self, argv: Sequence[str]) -> tuple[str | None, dict[str, Any] | None]:
        """The task type and the parameters, where flags say anything about them."""
        ways: list[tuple[str, str, dict[str, Any]]] = []
        if argv:
            ways.append(("the command line after the name", "shell", {"command": list(argv)}))
        if self.command is not None:
            ways.append(("--command", "shell", {"command": self.command, "shell": True}))
        if self.url is not None:
            ways.append(("--url", "http", {"url": self.url}))
        if self.callable is not None:
            ways.append(("--callable", "python", {"callable": self.callable}))
        if self.sub_flow is not None:
            ways.append(("--sub-flow", "flow", {}))
        if len(ways) > 1:
            raise UsageError(f"{' and '.join(way for way, _, _ in ways)} exclude each other: a task does one thing.")
        task_type = self.type
        implied: dict[str, Any] = {}
        for way, way_type, way_parameters in ways:
            if task_type not in (None, way_type):
                raise UsageError(f"{way} makes a task of type {way_type}, which contradicts --type {task_type}.")
            task_type, implied = way_type, way_parameters
        given = parse_parameters(self.param, self.params)
        if given is None and not ways:
            return task_type, None
        return task_type, {**(given or {}), **implied}


def parse_parameters(pairs: Sequence[str], whole: str | None) -> dict[str, Any] | None:
    """The parameters that --params and --param name; None when neither was given. Raises UsageError.

    >>> parse_parameters(["name=5", "count:=5"], '{"name": "x", "deep": {"a": 1}}')
    {'name': '5', 'deep': {'a': 1}, 'count': 5}
    """
    if not pairs and whole is None:
        return None
    parameters: dict[str, Any] = {}
    problems: list[Problem] = []
    if whole is not None:
        try:
            parameters = parse_json(whole)
        except ValueError as error:
            problems.append(
                Problem("--params", f"is not JSON ({error}). Quote it for the shell: --params '{{\"k\": 1}}'.")
            )
        else:
            if not isinstance(parameters, dict):
                problems.append(Problem("--params", 'must be a JSON object such as \'{"key": "value"}\'.'))
                parameters = {}
    problems.extend(_add_pairs(pairs, parameters))
    if problems:
        raise UsageError(problems)
    return parameters


def parse_json(text: str) -> Any:
    """JSON as RFC 8259 has it: NaN and infinities are refused. Raises ValueError."""
    return json.loads(text, parse_constant=_refuse_constant)


def _add_pairs(pairs: Sequence[str], parameters: dict[str, Any]) -> Iterator[Problem]:
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key.strip(":"):
            yield Problem("--param", f"'{pair}' must have the form KEY=TEXT or KEY:=JSON.")
        elif not key.endswith(":"):
            parameters[key] = value
        else:
            try:
                parameters[key[:-1]] = parse_json(value)
            except ValueError as error:
                yield Problem("--param", f"'{pair}': the value is not JSON ({error}). KEY=TEXT takes text as it is.")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
