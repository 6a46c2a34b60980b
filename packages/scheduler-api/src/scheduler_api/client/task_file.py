"""Reads task files: `[[task]]` and `[[limit]]` tables of TOML, or lists of tasks and limits in YAML."""

import difflib
import math
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, NamedTuple

from scheduler_api.client.client_error import UsageError
from scheduler_core.errors import Problem

_KINDS = {"task": ("task", "tasks"), "limit": ("limit", "limits")}
_LIST_KEYS = ("task", "tasks", "limit", "limits")
_SUFFIXES = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml"}


class FileTask(NamedTuple):
    """A task or limit as a file says it, and where: in which file, as which of its tasks or limits (from 1)."""

    file: str
    position: int
    definition: dict[str, Any]
    kind: str = "task"

    @property
    def place(self) -> str:
        """File and task, or limit, for people.

        >>> FileTask("tasks.toml", 2, {"name": "report"}).place
        "tasks.toml, task 'report'"
        """
        name = self.definition.get("name")
        kind = self.kind
        return (
            f"{self.file}, {kind} '{name}'" if isinstance(name, str) else f"{self.file}, {kind} number {self.position}"
        )


class FileContent(NamedTuple):
    """What files declare, each in their order."""

    tasks: list[FileTask]
    limits: list[FileTask]


def read_task_files(files: Iterable[str]) -> list[FileTask]:
    """The tasks of all files in order, without their limits; raises UsageError as `read_files` does."""
    return read_files(files).tasks


def read_files(files: Iterable[str]) -> FileContent:
    """The tasks and limits of all files in order; "-" is TOML or YAML from stdin.

    Raises UsageError with every problem of every file at once: unreadable, damaged, without tasks and limits, a task
    that is no table, a value that JSON cannot say, a name that is given twice.
    """
    found: list[FileTask] = []
    problems: list[Problem] = []
    for file in files:
        try:
            found.extend(_tasks_of(file, _parse(file)))
        except UsageError as error:
            problems.extend(error.problems)
    content = FileContent(*([each for each in found if each.kind == kind] for kind in _KINDS))
    problems.extend(_doubled(content.tasks))
    problems.extend(_doubled(content.limits))
    if problems:
        raise UsageError(problems)
    return content


def place_problems(
    problems: Iterable[Problem], tasks: list[FileTask], limits: Sequence[FileTask] = ()
) -> list[Problem]:
    """Say file and task instead of a position, where a problem's field begins with ``tasks[2]`` or ``tasks.2``.

    The same for limits.
    """
    placed = []
    for field, message in problems:
        match = re.match(r"(?:#?/?)(?:body[./])?(tasks|limits)(?:\[(\d+)\]|[./](\d+))[./]?(.*)", field)
        index = int(match[2] or match[3]) if match else -1
        listed = limits if match and match[1] == "limits" else tasks
        if match and index < len(listed):
            rest = match[4].replace("/", ".")
            place = listed[index].place
            placed.append(Problem(f"{place}, {rest}" if rest else place, message))
        else:
            placed.append(Problem(field, message))
    return placed


def _parse(file: str) -> Any:
    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise UsageError([Problem(file, f"cannot be read: {(error.strerror or str(error)).lower()}.")]) from error
    except UnicodeDecodeError as error:
        raise UsageError([Problem(file, f"is not UTF-8 text (byte {error.start}). Save it as UTF-8.")]) from error
    kind = _kind(file, text)
    if kind is None:
        raise UsageError(
            [Problem(file, "is neither .toml nor .yaml nor .yml. Give the file the suffix of its format.")]
        )
    try:
        return tomllib.loads(text) if kind == "toml" else _parse_yaml(text, file)
    except tomllib.TOMLDecodeError as error:
        raise UsageError([Problem(file, f"is not TOML: {error}.")]) from error
    except RecursionError as error:
        raise UsageError([Problem(file, "is nested too deeply.")]) from error


def _kind(file: str, text: str) -> str | None:
    if file != "-":
        return _SUFFIXES.get(Path(file).suffix.lower())
    return "toml" if re.search(r"^\s*\[\[\s*(?:task|limit)s?\s*\]\]", text, re.MULTILINE) else "yaml"


def _parse_yaml(text: str, file: str) -> Any:
    import yaml

    class UniqueKeyLoader(yaml.SafeLoader):
        """The safe loader, which would silently keep the last of two equal keys, made to refuse them."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen: set[Any] = set()
            for key_node, _ in node.value:
                key = self.construct_object(key_node, deep=True)
                if isinstance(key, Hashable) and key != "<<":
                    if key in seen:
                        raise yaml.constructor.ConstructorError(
                            None, None, f"the key '{key}' is there twice", key_node.start_mark
                        )
                    seen.add(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506  it is a safe loader
    except yaml.YAMLError as error:
        told = " ".join(str(error).replace('in "<unicode string>", ', "").split())
        raise UsageError([Problem(file, f"is not YAML: {told}.")]) from error
    except ValueError as error:
        raise UsageError([Problem(file, f"is not YAML: {error}.")]) from error


def _tasks_of(file: str, document: Any) -> list[FileTask]:
    if isinstance(document, Mapping):
        unknown = [str(key) for key in document if key not in _LIST_KEYS]
        if unknown:
            near = difflib.get_close_matches(unknown[0].lower(), _LIST_KEYS, n=1)
            hint = (
                f" Did you mean {near[0]}?"
                if near
                else " Put tasks under [[task]] (TOML) or tasks: (YAML), limits under [[limit]] or limits:."
            )
            raise UsageError([Problem(file, f"has an unknown key '{unknown[0]}' at the top.{hint}")])
        listed = [(kind, each) for kind, keys in _KINDS.items() for each in _listed(document, keys)]
    else:
        listed = [("task", each) for each in (document if isinstance(document, list) else [])]
    if not listed:
        raise UsageError([Problem(file, "holds no task. Write [[task]] tables (TOML), or a list under tasks: (YAML).")])
    tasks, problems = [], []
    positions: Counter[str] = Counter()
    for kind, definition in listed:
        positions[kind] += 1
        position = positions[kind]
        if not isinstance(definition, Mapping):
            problems.append(Problem(f"{file}, {kind} number {position}", "must be a table of fields such as name."))
            continue
        task = FileTask(file, position, dict(definition), kind)
        try:
            fields = {str(k): _as_json(v, str(k)) for k, v in definition.items()}
            tasks.append(task._replace(definition=fields))
        except UsageError as error:
            problems.extend(Problem(f"{task.place}, {field}", message) for field, message in error.problems)
    if problems:
        raise UsageError(problems)
    return tasks


def _listed(document: Mapping[str, Any], keys: Sequence[str]) -> Iterator[Any]:
    """What stands under any of the keys: a list, or a single table."""
    for key in keys:
        if (value := document.get(key)) is not None:
            yield from value if isinstance(value, list) else [value]


def _as_json(value: Any, field: str) -> Any:
    """The value as JSON has it: instants become RFC 3339 text; raises UsageError for what JSON cannot say."""
    if isinstance(value, datetime):
        if value.tzinfo is None and not _is_of_schedule(field):
            raise UsageError([Problem(field, f"{value} has no zone. Write an offset, such as {value.isoformat()}Z.")])
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_json_key(k, field): _as_json(v, f"{field}.{k}") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{field}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, date) and _is_of_schedule(field):
        return f"{value.isoformat()}T00:00:00"
    if isinstance(value, date | time | bytes | set):
        raise UsageError(
            [Problem(field, f"{value!r} is a {type(value).__name__}, which JSON lacks. Quote it as text.")]
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError([Problem(field, f"{value} is no JSON number.")])
    return value


def _is_of_schedule(field: str) -> bool:
    """Whether a time without an offset has a zone all the same: that of its schedule."""
    return field.startswith("schedule.")


def _json_key(key: Any, field: str) -> str:
    if not isinstance(key, str):
        raise UsageError([Problem(field, f"the key {key} must be text. Quote it.")])
    return key


def _doubled(tasks: list[FileTask]) -> list[Problem]:
    first: dict[tuple[str, str], FileTask] = {}
    problems = []
    for task in tasks:
        name = task.definition.get("name")
        if not isinstance(name, str):
            continue  # the server says what is wrong with it
        earlier = first.setdefault((str(task.definition.get("namespace")), name), task)
        if earlier is not task:
            problems.append(
                Problem(
                    task.place, f"is the second {task.kind} of this name; the first is in {earlier.file}. Rename one."
                )
            )
    return problems
