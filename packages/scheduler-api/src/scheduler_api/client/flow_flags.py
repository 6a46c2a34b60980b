"""The flags that say what a task waits for, and as how many runs it runs."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.schedule_flags import WHEN, ScheduleFlags
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_core.errors import Problem

_FLOW = Group("Place in a flow", sort_key=22)
_GROUP = Group("Several runs", sort_key=23)

_INTERVAL = re.compile(r"(.+?):((?:previous|within)\s*:[^:]*|[^:]*)", re.DOTALL)
_INTERVAL_OPTIONS = ("condition", "deadline", "on_unmet")
_AS_THEY_ARE = (
    "trigger_rule",
    "when",
    "continue_on_failure",
    "sub_flow",
    "shards",
    "map_over",
    "broadcast",
    "tolerated_failures",
)
_TAKEN_AWAY = {
    "depends_on": "--no-depends-on",
    "when": "--no-when",
    "sub_flow": "--no-group",
    "map_over": "--no-group",
    "shards": "--no-group",
}
WITHOUT_GROUP: dict[str, Any] = {
    "sub_flow": None,
    "shards": None,
    "map_over": None,
    "broadcast": False,
    "max_parallel": None,
    "tolerated_failures": 0,
}
"""The fields of a task whose runs stand for nothing but themselves."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FlowFlags(ScheduleFlags):
    """The fields of a flow that can be given as flags; None means that the flag was not given."""

    depends_on: Annotated[
        tuple[str, ...],
        Parameter(
            group=WHEN,
            negative=(),
            completer=complete_task_names,
            show_default=False,
            help="Run after this task has, in the same flow. Can be repeated.",
        ),
    ] = ()
    depends_on_interval: Annotated[
        tuple[str, ...],
        Parameter(
            group=WHEN,
            negative=(),
            show_default=False,
            help="Wait for slots of another schedule: NAME:INTERVAL, where INTERVAL is same, contained, covering, "
            "latest, previous:K or within:DURATION. Options follow with commas: condition=success|failure|finished|"
            "at_least:N, deadline=DURATION, on_unmet=skip|fail|run|alert, as in "
            "hourly:contained,condition=at_least:20,deadline=3h,on_unmet=run. Can be repeated.",
        ),
    ] = ()
    trigger_rule: Annotated[
        str | None,
        Parameter(
            group=_FLOW,
            help="How those it depends on are to have ended: all_success, all_done, all_failed, one_success, "
            "one_failed, none_failed or at_least(N) [all_success].",
        ),
    ] = None
    when: Annotated[
        str | None, Parameter(group=_FLOW, help="Skip the run where this expression is false: upstream.a.result.n > 0.")
    ] = None
    continue_on_failure: Annotated[
        bool | None, Parameter(group=_FLOW, help="Let those who depend on it take its failure for a success.")
    ] = None
    sub_flow: Annotated[
        str | None,
        Parameter(
            group=_GROUP,
            completer=complete_task_names,
            help="Run the whole flow of this task in its place; implies --type flow.",
        ),
    ] = None
    shards: Annotated[
        int | str | None, Parameter(group=_GROUP, help="Run so many times at once, each with its index.")
    ] = None
    map_over: Annotated[
        str | None, Parameter(group=_GROUP, help="Run once for each item of a list: upstream.a.result.")
    ] = None
    broadcast: Annotated[bool | None, Parameter(group=_GROUP, help="Run once on each live worker of the queue.")] = None
    max_parallel: Annotated[
        str | None, Parameter(group=_GROUP, help="How many of them run at once, or none for no limit [none].")
    ] = None
    tolerated_failures: Annotated[
        int | None, Parameter(group=_GROUP, help="How many of them may fail and the whole still complete [0].")
    ] = None

    def flow_fields(self) -> dict[str, Any]:
        """The given fields as the API names them; raises UsageError for what cannot be read."""
        fields: dict[str, Any] = {}
        problems = [*self._taken_away()]
        if self.depends_on or self.depends_on_interval:
            on_intervals = [read_interval(text, problems) for text in self.depends_on_interval]
            fields["dependencies"] = [*self.depends_on, *on_intervals]
        for name in _AS_THEY_ARE:
            if (value := getattr(self, name)) is not None:
                fields[name] = value
        if self.max_parallel is not None:
            fields["max_parallel"] = _limit(self.max_parallel, problems)
        if problems:
            raise UsageError(problems)
        return fields

    def _taken_away(self) -> Iterator[Problem]:
        """Fields that are set to none, which is no value of theirs."""
        for name, remedy in _TAKEN_AWAY.items():
            given = getattr(self, name)
            text = given[0] if given and isinstance(given, tuple) else given
            if isinstance(text, str) and text.strip().lower() == "none":
                yield Problem(
                    f"--{name.replace('_', '-')}",
                    f"does not take '{text}'. Leave it out, or take what is there away with `scheduler task update "
                    f"NAME {remedy}`.",
                )
            elif name == "shards" and isinstance(text, str):
                yield Problem("--shards", f"'{text}' must be a whole number of at least 1.")


def read_interval(text: str, problems: list[Problem]) -> dict[str, str]:
    """A dependency on an interval as the API has it; what is wrong with the text is added to the problems.

    >>> read_interval("hourly:within:6h,on_unmet=run", [])
    {'task': 'hourly', 'interval': 'within:6h', 'on_unmet': 'run'}
    """
    flag = "--depends-on-interval"
    target, *options = _option_parts(text)
    match = _INTERVAL.fullmatch(target)
    if match is None:
        problems.append(Problem(flag, f"'{text}' must have the form NAME:INTERVAL, such as hourly:contained."))
        return {}
    fields = {"task": match[1], "interval": match[2]}
    for option in options:
        key, _, value = option.partition("=")
        if key.strip() not in _INTERVAL_OPTIONS:
            told = f"'{text}': there is no option '{key.strip()}'. Known: {', '.join(_INTERVAL_OPTIONS)}."
            problems.append(Problem(flag, told))
        fields[key.strip()] = value.strip()
    return fields


def read_schema(text: str) -> Any:
    """The JSON Schema in the text, or in the file that it names; raises UsageError."""
    flag = "--parameters-schema"
    try:
        content = text if text.lstrip().startswith("{") else Path(text).read_text(encoding="utf-8-sig")
        return json.loads(content)
    except OSError as error:
        told = f"'{text}' cannot be read: {(error.strerror or str(error)).lower()}. Give a file, or JSON such as {{…}}."
        raise UsageError([Problem(flag, told)]) from error
    except ValueError as error:
        raise UsageError([Problem(flag, f"is not JSON ({error}).")]) from error


def _option_parts(text: str) -> Sequence[str]:
    # Names may have commas, so options are recognised from behind.
    parts = text.split(",")
    first = len(parts)
    while first > 1 and "=" in parts[first - 1]:
        first -= 1
    return [",".join(parts[:first]), *parts[first:]]


def _limit(text: str, problems: list[Problem]) -> int | None:
    if text.lower() == "none":
        return None
    if text.isascii() and text.isdigit() and int(text) >= 1:
        return int(text)
    problems.append(Problem("--max-parallel", f"'{text}' must be a whole number of at least 1, or none."))
    return None
