"""Query parameters: each is declared once, and that declaration checks requests and documents the API."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from litestar import Request

from scheduler_api.api_error import InvalidQueryError
from scheduler_api.schemas.cursor import decode_cursor
from scheduler_core.decisions.flow_status import FLOW_STATUSES
from scheduler_core.decisions.nearest import hint, nearest
from scheduler_core.errors import Problem
from scheduler_core.models import DEFAULT_NAMESPACE, TaskRunStatus, TaskStatus

PAGE_ITEMS_MAX = 200
PAGE_ITEMS = 50
_ID_MAX = 2**63 - 1
_YEAR_MIN = 1900
_YEAR_MAX = 2999


class QueryParameter(NamedTuple):
    """A parameter that a request may have; `kind` is one of text, integer, flag, choice, choices, instant, cursor."""

    name: str
    kind: str
    description: str
    default: Any = None
    low: int = 0
    high: int = _ID_MAX
    choices: tuple[str, ...] = ()
    cursor: str = ""
    cursor_length: int = 1

    def schema(self) -> dict[str, Any]:
        """The parameter as JSON Schema."""
        if self.kind == "integer":
            limits = {"minimum": self.low, **({"maximum": self.high} if self.high != _ID_MAX else {})}
            return {"type": "integer", **limits, **({} if self.default is None else {"default": self.default})}
        if self.kind == "flag":
            return {"type": "boolean", "default": bool(self.default)}
        if self.kind == "choice":
            return {"type": "string", "enum": list(self.choices)}
        if self.kind == "choices":
            return {"type": "array", "items": {"type": "string", "enum": list(self.choices)}}
        if self.kind == "instant":
            return {"type": "string", "format": "date-time"}
        return {"type": "string", **({} if self.default is None else {"default": self.default})}


LIMIT = QueryParameter("limit", "integer", "How many items the page may have.", PAGE_ITEMS, 1, PAGE_ITEMS_MAX)
LOG_LIMIT = QueryParameter("limit", "integer", "How many entries the page may have.", 1000, 1, 1000)
ATTEMPT = QueryParameter("attempt", "integer", "Only output of this attempt.", low=1, high=2**31 - 1)
STREAM = QueryParameter("stream", "choice", "Only output of this stream.", choices=("stdout", "stderr", "log"))
SINCE = QueryParameter("since", "instant", "Only lines that came at this instant or later.")
TAIL = QueryParameter("tail", "integer", "Only the last so many lines.", low=1, high=10_000)
FROM_LINE = QueryParameter(
    "from_line", "integer", "Only lines from this number on, of one attempt: the last one unless it is named.", low=1
)
LINES = QueryParameter("lines", "integer", "How many lines from from_line on, 1000 unless given.", low=1, high=10_000)
SEARCH = QueryParameter("search", "text", "Only lines that contain this text.")
PATTERN = QueryParameter("pattern", "text", "Only lines that this regular expression of PostgreSQL fits.")
NAMESPACE = QueryParameter("namespace", "text", "The namespace of the task's name.", DEFAULT_NAMESPACE)
NAMESPACE_OF_LIMIT = QueryParameter("namespace", "text", "The namespace of the limit's name.", DEFAULT_NAMESPACE)
IN_NAMESPACE = QueryParameter("namespace", "text", "Only items of this namespace; without it those of all.")
TASK_STATUS = QueryParameter(
    "status",
    "choice",
    "Only tasks in this status; INACTIVE ones are left out unless asked for.",
    choices=tuple(status.value for status in TaskStatus),
)
NAME_CONTAINS = QueryParameter("name", "text", "Only tasks whose name contains this text, whatever its case.")
RUN_STATUS = QueryParameter(
    "status",
    "choices",
    "Only runs in this status; may be repeated, or hold several with commas between.",
    choices=tuple(status.value for status in TaskRunStatus),
)
TASK = QueryParameter("task", "text", "Only runs of this task: its id, or its name within `namespace`.")
FLOW_ID = QueryParameter("flow_id", "integer", "Only runs of this flow.", low=1)
NODES = QueryParameter("nodes", "flag", "Whether to show its runs and edges, or to count them only.", default=True)
GROUP_ID = QueryParameter("group_id", "integer", "Only runs that belong to the group of this run.", low=1)
STALE = QueryParameter(
    "stale",
    "flag",
    "Only runs that had waited for an interval which has been run again since, and were not run again themselves.",
    default=False,
)
ROOT_TASK = QueryParameter(
    "task", "text", "Only flows that begin with this task: its id, or its name within `namespace`."
)
FLOW_STATUS = QueryParameter(
    "status",
    "choices",
    "Only flows in this status; may be repeated, or hold several with commas between.",
    choices=tuple(status.value for status in FLOW_STATUSES),
)
SLOT_COUNT = QueryParameter("count", "integer", "How many slots to show.", 10, 1, 1000)
VIEWER_TIMEZONE = QueryParameter("timezone", "text", "A time zone to show each slot in, beside the schedule's own.")
ALIVE = QueryParameter("alive", "flag", "Only sessions that are alive.", default=False)
DECIDED = QueryParameter("decided", "flag", "Also those that were released or discarded.", default=False)
DAYS = QueryParameter("days", "integer", "Over how many days, until now.", 30, 1, 365)

NEWEST = QueryParameter(
    "newest", "flag", "The last items instead of the first; there is no next page then.", default=False
)
FROM = QueryParameter("from", "instant", "Only what is not before this instant.")
TO = QueryParameter("to", "instant", "Only what is before this instant.")
SLOT = QueryParameter("slot", "instant", "The instant of a slot of the task's schedule.")


def cursor_of(kind: str, name: str = "cursor", length: int = 1) -> QueryParameter:
    """The parameter that carries a cursor of one kind of list."""
    return QueryParameter(
        name, "cursor", "Where to go on: next_cursor of the page before.", cursor=kind, cursor_length=length
    )


def read_query(request: "Request[Any, Any, Any]") -> dict[str, Any]:
    """All parameters that the route declares, with their defaults; raises InvalidQueryError telling all problems."""
    declared: Sequence[QueryParameter] = request.route_handler.opt["query"]
    known = {parameter.name: parameter for parameter in declared}
    given: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        given.setdefault(name, []).append(value)
    problems = [
        Problem(name[:100], f"There is no such query parameter.{hint(name, known)}")
        for name in given
        if name not in known
    ]
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        values[name] = [] if parameter.kind == "choices" else parameter.default
        if name in given:
            try:
                values[name] = _READERS[parameter.kind](parameter, given[name])
            except ValueError as error:
                problems.append(Problem(name, str(error)))
    if problems:
        raise InvalidQueryError(problems)
    return values


def _single(parameter: QueryParameter, texts: Sequence[str]) -> str:
    if len(texts) > 1:
        raise ValueError(f"{parameter.name} is given {len(texts)} times. Give it once.")
    return texts[0]


def _text(parameter: QueryParameter, texts: Sequence[str]) -> str:
    text = _single(parameter, texts)
    if not text or "\0" in text or len(text) > 255:
        raise ValueError(f"{parameter.name} is empty, longer than 255 characters, or contains a NUL character.")
    return text


def _integer(parameter: QueryParameter, texts: Sequence[str]) -> int:
    text = _single(parameter, texts)
    sign = text.removeprefix("-")
    if not (sign.isascii() and sign.isdigit()) or len(sign) > 19 or not parameter.low <= int(text) <= parameter.high:
        limits = (
            f"from {parameter.low} to {parameter.high}" if parameter.high != _ID_MAX else f"from {parameter.low} on"
        )
        raise ValueError(f"{parameter.name} is a whole number {limits}, not '{text[:50]}'.")
    return int(text)


def _flag(parameter: QueryParameter, texts: Sequence[str]) -> bool:
    text = _single(parameter, texts).lower()
    if text not in ("true", "1", "false", "0"):
        raise ValueError(f"{parameter.name} is true or false, not '{text[:50]}'.")
    return text in ("true", "1")


def _choice(parameter: QueryParameter, texts: Sequence[str]) -> str:
    text = _single(parameter, texts)
    if text not in parameter.choices:
        near = nearest(text, parameter.choices)
        remedy = f" Did you mean {near}?" if near else f" Known: {', '.join(parameter.choices)}."
        raise ValueError(f"'{text[:50]}' is not known as {parameter.name}.{remedy}")
    return text


def _choices(parameter: QueryParameter, texts: Sequence[str]) -> list[str]:
    return [_choice(parameter, [part]) for text in texts for part in text.split(",")]


def _instant(parameter: QueryParameter, texts: Sequence[str]) -> datetime:
    text = _single(parameter, texts)
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is not None and _YEAR_MIN <= instant.year <= _YEAR_MAX:
            return instant.astimezone(UTC)
    except ValueError:
        pass
    raise ValueError(
        f"{parameter.name} is an instant with its offset, such as 2027-01-31T09:00:00Z (a + in an address is written "
        f"%2B), from {_YEAR_MIN} to {_YEAR_MAX}, not '{text[:50]}'."
    )


def _cursor(parameter: QueryParameter, texts: Sequence[str]) -> tuple[int, ...]:
    return decode_cursor(parameter.cursor, _single(parameter, texts), parameter.cursor_length)


_READERS: Mapping[str, Any] = {
    "text": _text,
    "integer": _integer,
    "flag": _flag,
    "choice": _choice,
    "choices": _choices,
    "instant": _instant,
    "cursor": _cursor,
}
