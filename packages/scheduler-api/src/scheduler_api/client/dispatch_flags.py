"""The flags that say who runs a task, how many of its runs at once, whose turn it is, and what is kept of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.flow_flags import FlowFlags
from scheduler_api.client.limit_name_completion import complete_limit_names
from scheduler_core.errors import Problem

_WHO = Group("Who runs it", sort_key=31)
_TURN = Group("How many at once, and whose turn", sort_key=32)
_UNIQUE = Group("Triggers while a run is there already", sort_key=33)
_KEPT = Group("What is kept", sort_key=34)
_NO = Parameter(group=Group("Take away", sort_key=35), negative=())

_LISTS = {
    "require_tag": "required_tags",
    "prefer_tag": "preferred_tags",
    "forbid_tag": "forbidden_tags",
    "limit": "limits",
}
_AS_THEY_ARE = ("strategy", "hash_key", "fairness_key", "background", "keep", "keep_runs", "max_losses")
_TIMES = {"unique_window": "window", "debounce": "debounce", "debounce_max": "debounce_max", "throttle": "throttle"}


def _many(group: Group, help_text: str, **further: Any) -> Parameter:
    return Parameter(group=group, negative=(), show_default=False, help=f"{help_text} Can be repeated.", **further)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DispatchFlags(FlowFlags):
    """The fields of dispatch that can be given as flags; None means that the flag was not given."""

    strategy: Annotated[
        str | None, Parameter(group=_WHO, help="Who chooses the worker, such as least_loaded [the dispatchers' own].")
    ] = None
    require_tag: Annotated[tuple[str, ...], _many(_WHO, "A tag that a worker must have.")] = ()
    prefer_tag: Annotated[tuple[str, ...], _many(_WHO, "A tag whose workers come first.")] = ()
    forbid_tag: Annotated[tuple[str, ...], _many(_WHO, "A tag that a worker must not have.")] = ()
    resource: Annotated[
        tuple[str, ...],
        _many(_WHO, "NAME=AMOUNT that a run takes of what its worker has: cpu=2, memory=2GB, gpu=1."),
    ] = ()
    hash_key: Annotated[
        str | None, Parameter(group=_WHO, help="Expression whose value chooses the worker under consistent_hash.")
    ] = None
    limit: Annotated[
        tuple[str, ...], _many(_TURN, "A limit that its runs count for.", completer=complete_limit_names)
    ] = ()
    fairness_key: Annotated[
        str | None, Parameter(group=_TURN, help="Expression whose values get places in turn, such as params.customer.")
    ] = None
    fairness_weight: Annotated[
        str | None, Parameter(group=_TURN, help="The share of a value: a number or an expression [1].")
    ] = None
    background: Annotated[
        bool | None, Parameter(group=_TURN, help="Run after all others, but for a guaranteed share.")
    ] = None
    unique: Annotated[
        bool, Parameter(group=_UNIQUE, negative=(), help="A trigger gives back a run that has not ended.")
    ] = False
    unique_key: Annotated[
        str | None, Parameter(group=_UNIQUE, help="Expression: only a run with the same value counts.")
    ] = None
    unique_state: Annotated[
        tuple[str, ...], _many(_UNIQUE, "A state in which a run counts [PENDING, DISPATCHED, RUNNING].")
    ] = ()
    unique_window: Annotated[
        str | None, Parameter(group=_UNIQUE, help="Only a run made within this time counts, such as 10m.")
    ] = None
    debounce: Annotated[
        str | None, Parameter(group=_UNIQUE, help="Each trigger puts the start of the run off by this time.")
    ] = None
    debounce_max: Annotated[str | None, Parameter(group=_UNIQUE, help="At most this long after the first trigger.")] = (
        None
    )
    throttle: Annotated[str | None, Parameter(group=_UNIQUE, help="At most one run within this time.")] = None
    keep: Annotated[
        str | None,
        Parameter(group=_KEPT, help="How long finished runs are kept, with its unit: 30d [the dispatchers' own]."),
    ] = None
    keep_runs: Annotated[
        int | None, Parameter(group=_KEPT, help="How many finished runs are kept at most [the dispatchers' own].")
    ] = None
    max_losses: Annotated[
        int | None, Parameter(group=_KEPT, help="How many workers a run may lose before it is QUARANTINED [5].")
    ] = None

    def dispatch_fields(self) -> dict[str, Any]:
        """The given fields as the API names them; raises UsageError for what cannot be read."""
        fields: dict[str, Any] = {
            field: list(given) for flag, field in _LISTS.items() if (given := getattr(self, flag))
        }
        fields.update({name: value for name in _AS_THEY_ARE if (value := getattr(self, name)) is not None})
        if self.fairness_weight is not None:
            fields["fairness_weight"] = _number_or_text(self.fairness_weight)
        problems: list[Problem] = []
        if self.resource:
            fields["resources"] = dict(_resources(self.resource, problems))
        if problems:
            raise UsageError(problems)
        if (unique := self._unique()) is not None:
            fields["unique"] = unique
        return fields

    def _unique(self) -> dict[str, Any] | None:
        """What the flags say about uniqueness, as a whole."""
        fields: dict[str, Any] = {}
        if self.unique_key is not None:
            fields["key"] = self.unique_key
        if self.unique_state:
            fields["states"] = [state.upper() for state in self.unique_state]
        fields.update({field: value for flag, field in _TIMES.items() if (value := getattr(self, flag)) is not None})
        return fields if fields or self.unique else None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class DispatchRemovals:
    """Flags that take such fields away from a task."""

    no_strategy: Annotated[bool, _NO] = False
    """Leave the strategy to the dispatchers."""
    no_tags: Annotated[bool, _NO] = False
    """Take all tags away; a flag that names some replaces those of its kind, too."""
    no_resources: Annotated[bool, _NO] = False
    """Take all resources away."""
    no_hash_key: Annotated[bool, _NO] = False
    """Take the hash key away."""
    no_limits: Annotated[bool, _NO] = False
    """Take all limits away; --limit replaces them all, too."""
    no_fairness: Annotated[bool, _NO] = False
    """Take the fairness key and its weight away."""
    no_unique: Annotated[bool, _NO] = False
    """Let every trigger make a run."""
    no_keep: Annotated[bool, _NO] = False
    """Leave what is kept to the dispatchers."""

    def fields(self) -> Iterator[tuple[str, str, Any]]:
        """Flag, field and value of whatever is taken away."""
        for name, taken in _TAKEN.items():
            if getattr(self, name):
                yield from ((f"--{name.replace('_', '-')}", field, nothing) for field, nothing in taken.items())


_TAKEN: dict[str, dict[str, Any]] = {
    "no_strategy": {"strategy": None},
    "no_tags": {"required_tags": [], "preferred_tags": [], "forbidden_tags": []},
    "no_resources": {"resources": {}},
    "no_hash_key": {"hash_key": None},
    "no_limits": {"limits": []},
    "no_fairness": {"fairness_key": None, "fairness_weight": 1},
    "no_unique": {"unique": None},
    "no_keep": {"keep": None, "keep_runs": None},
}


def _resources(pairs: tuple[str, ...], problems: list[Problem]) -> Iterator[tuple[str, Any]]:
    for pair in pairs:
        name, separator, amount = pair.partition("=")
        if separator and name.strip() and amount.strip():
            yield name.strip(), _number_or_text(amount)
        else:
            problems.append(Problem("--resource", f"'{pair}' must have the form NAME=AMOUNT, such as memory=2GB."))


def _number_or_text(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    # What JSON cannot say is for the server to refuse, as the text that it is.
    return number if abs(number) < float("inf") else text
