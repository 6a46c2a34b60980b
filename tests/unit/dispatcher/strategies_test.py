"""Strategies and the settings of a dispatcher."""

from importlib.metadata import EntryPoint

import msgspec
import pytest

from scheduler_core.errors import ConfigError
from scheduler_core.models import Lane
from scheduler_dispatcher import strategies
from scheduler_dispatcher.dispatcher_config import DispatcherConfig
from scheduler_dispatcher.strategies import SharedStrategy, installed_strategies, load_strategy


def test_shared_strategy_leaves_the_choice_to_whoever_claims_first() -> None:
    """The shared strategy chooses nobody."""
    assert SharedStrategy().choose(Lane("default", "shell"), []) is None


def test_load_strategy_finds_the_shared_one_by_its_entry_point() -> None:
    """D6: strategies are found where distributions declare them, the built-in one too."""
    assert "shared" in installed_strategies()
    assert isinstance(load_strategy("shared"), SharedStrategy)


def test_load_strategy_names_the_broken_plug_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strategy that cannot be imported is a setting that cannot work, and says so."""
    broken = EntryPoint("broken", "no_such_module:Strategy", "scheduler.strategies")
    monkeypatch.setattr(strategies, "installed_strategies", lambda: {"broken": broken})
    with pytest.raises(ConfigError, match=r"dispatcher.strategy 'broken'.*no_such_module"):
        load_strategy("broken")
    with pytest.raises(ConfigError, match="'absent' is not installed"):
        load_strategy("absent")


def test_dispatcher_config_refuses_a_strategy_that_nobody_brings() -> None:
    """D19: a strategy that does not exist is refused with the nearest name."""
    assert DispatcherConfig().problems() == []
    assert DispatcherConfig(strategy="sharde").problems() == [
        "strategy 'sharde' is not installed. Did you mean shared?"
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule_interval_seconds", 0),
        ("max_concurrent_dispatches", 0),
        ("max_concurrent_dispatches", 10_001),
        ("poll_interval_seconds", -1),
    ],
)
def test_dispatcher_config_refuses_values_that_cannot_work(key: str, value: float) -> None:
    """Intervals are positive and a batch has at least one run."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value}, DispatcherConfig)


def test_dispatcher_config_says_what_each_key_does() -> None:
    """Every key has its sentence."""
    assert all(setting.effect for setting in DispatcherConfig.settings())
