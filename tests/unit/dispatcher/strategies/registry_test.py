"""Strategies by name: installed ones, composites, and plug-ins that are broken."""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from types import ModuleType

import pytest
from structlog.testing import capture_logs

from fixtures.dispatch_views import build_placement, build_view, build_views
from scheduler_core.decisions.placement_rules import Workers, place
from scheduler_core.errors import ConfigError
from scheduler_core.models.dispatch import Placement, WorkerView
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.strategies.installed_strategies import installed_strategies
from scheduler_dispatcher.strategies.registry import Strategies

BUILT_IN = [
    "consistent_hash",
    "least_loaded",
    "power_of_two",
    "random",
    "resource_aware",
    "round_robin",
    "shared",
    "task_type_affinity",
]


class ForeignStrategy:
    """A plug-in of somebody else: what it names is set by the test."""

    answer: int | Exception = 0

    def choose(self, run: Placement, workers: Sequence[WorkerView]) -> int | None:
        """That session, or that exception."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> type[ForeignStrategy]:
    """A strategy that its test may change, in a module that can be imported."""

    class Foreign(ForeignStrategy):
        pass

    module = ModuleType("foreign_plugin")
    module.__dict__.update(Strategy=Foreign, NoStrategy=object)
    monkeypatch.setitem(sys.modules, "foreign_plugin", module)
    return Foreign


def installed_with(**entries: str) -> dict[str, EntryPoint]:
    """The installed strategies and these."""
    more = {name: EntryPoint(name, value, "scheduler.strategies") for name, value in entries.items()}
    return {**installed_strategies(), **more}


def test_dispatcher_unit_strategies_are_found_by_their_entry_points() -> None:
    """All built-in ones are installed and can be made, each once and under its own name."""
    strategies = Strategies.from_config(DispatcherConfig())
    assert [name for name in strategies.names if name in BUILT_IN] == BUILT_IN
    for name in BUILT_IN:
        made = strategies.get(name)
        assert made is not None
        assert made.name == name
        assert strategies.get(name) is made
    assert strategies.get(None) is strategies.get("shared")
    assert strategies.get("absent") is None


def test_dispatcher_unit_composites_are_strategies_like_others() -> None:
    """A composite is known by its name, may be the default, and may name others, whatever their order."""
    config = DispatcherConfig(strategy="outer", composites={"outer": ("inner", "random"), "inner": ("round_robin",)})
    assert config.problems() == []
    strategies = Strategies.from_config(config)
    assert {"inner", "outer"} <= set(strategies.names)
    assert strategies.default_name == "outer"
    workers = [build_view(1, turn=2), build_view(2, turn=1)]
    assert place([build_placement()], Workers(workers), strategies.get) == [2]


def test_dispatcher_unit_composites_of_composites_are_one_list() -> None:
    """Each strategy is asked once however many ways lead to it, and the last one decides."""
    ways = {f"{side}{level}": (f"a{level + 1}", f"b{level + 1}") for level in range(48) for side in "ab"}
    config = DispatcherConfig(composites={**ways, "a48": ("round_robin",), "b48": ("random", "round_robin")})
    assert config.problems() == []
    strategies = Strategies.from_config(config)
    assert strategies._parts("a0") == ["round_robin", "random", "round_robin"]
    workers = [build_view(1, turn=2), build_view(2, turn=1)]
    assert place([build_placement(strategy="a0")], Workers(workers), strategies.get) == [2]


@pytest.mark.parametrize("value", ["no_such_module:Strategy", "foreign_plugin:Absent", "foreign_plugin:NoStrategy"])
def test_dispatcher_unit_a_broken_plug_in_is_left_out(value: str, foreign: type[ForeignStrategy]) -> None:
    """It is logged once with what is wrong, is no name any more, and the others go on."""
    strategies = Strategies(installed_with(broken=value), {"mine": ["broken", "least_loaded"]})
    with capture_logs() as logs:
        assert strategies.get("broken") is None
        assert strategies.get("broken") is None
        assert place([build_placement(strategy="mine")], Workers(build_views([1, 0])), strategies.get) == [2]
    assert [entry["strategy"] for entry in logs] == ["broken"]
    assert "'broken' (scheduler.strategies) of an unknown distribution" in logs[0]["reason"]
    assert "broken" not in strategies.names
    assert "mine" in strategies.names


def test_dispatcher_unit_a_broken_plug_in_cannot_be_the_default() -> None:
    """By itself or behind a composite it is refused with its distribution, and the default stays as it was."""
    strategies = Strategies(installed_with(broken="no_such_module:Strategy"), {"mine": ["random", "broken"]})
    for name in ("broken", "mine"):
        with pytest.raises(
            ConfigError, match=rf"dispatcher.strategy '{name}' cannot be used.*'broken'.*no_such_module"
        ):
            strategies.use(name)
    with pytest.raises(ConfigError, match=r"dispatcher.strategy 'absent' is not installed"):
        strategies.use("absent")
    assert strategies.default_name == "shared"
    strategies.use("random")
    assert strategies.default_name == "random"


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (RuntimeError("lost my way"), "strategy failed"),
        (99, "strategy names a session that was not offered"),
        (1, "strategy names a session that was not offered"),
    ],
)
def test_dispatcher_unit_a_plug_in_that_goes_wrong_names_nobody(
    answer: int | Exception, event: str, foreign: type[ForeignStrategy]
) -> None:
    """An exception, a session that does not exist and one that is full: the run waits, and the first is logged."""
    foreign.answer = answer
    strategies = Strategies(installed_with(foreign="foreign_plugin:Strategy"), {"mine": ["foreign", "least_loaded"]})
    workers = Workers([build_view(1, running=10), build_view(2)])
    with capture_logs() as logs:
        assert place([build_placement(strategy="foreign")] * 3, workers, strategies.get) == [None] * 3
        assert place([build_placement(strategy="mine")], workers, strategies.get) == [2]
    assert [(entry["event"], entry["strategy"]) for entry in logs] == [(event, "foreign")]
