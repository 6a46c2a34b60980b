"""The settings of a dispatcher."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from scheduler_core.config import load_settings
from scheduler_core.errors import ConfigError
from scheduler_dispatcher.dispatcher_config import DispatcherConfig


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("sharde", "strategy 'sharde' is not installed. Did you mean shared?"),
        ("composite", "strategy 'composite' is not installed. Give one a name, such as composites = { mine ="),
        ("min", "strategy 'min' is not installed. Did you mean mine?"),
    ],
)
def test_dispatcher_unit_config_refuses_a_strategy_that_nobody_brings(name: str, problem: str) -> None:
    """A strategy that does not exist is refused with the nearest name, composites included."""
    (told,) = DispatcherConfig(strategy=name, composites={"mine": ("random",)}).problems()
    assert told.startswith(problem)


def test_dispatcher_unit_config_accepts_its_defaults_and_composites() -> None:
    """The defaults work, and so does a composite as the strategy."""
    assert DispatcherConfig().problems() == []
    assert DispatcherConfig(strategy="mine", composites={"mine": ("random",)}).problems() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schedule_interval_seconds", 0),
        ("max_concurrent_dispatches", 0),
        ("max_concurrent_dispatches", 10_001),
        ("poll_interval_seconds", -1),
        ("dispatch_timeout_seconds", 0),
        ("background_share", -0.1),
        ("background_share", 1.0),
        ("window", -1),
        ("composites", {"mine": "random"}),
        ("keep_finished_runs", -1),
        ("retention_interval_seconds", 0),
    ],
)
def test_dispatcher_unit_config_refuses_values_that_cannot_work(key: str, value: Any) -> None:
    """Intervals are positive, a batch has at least one run, and live runs keep some of the places."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({key: value}, DispatcherConfig)


@pytest.mark.parametrize(
    ("text", "seconds"), [("", None), (" ", None), ("30d", 2_592_000.0), ("1h30m", 5400.0), ("90s", 90.0)]
)
def test_dispatcher_unit_config_reads_how_long_runs_are_kept(text: str, seconds: float | None) -> None:
    """A length of time as in schedules; empty is for ever."""
    config = DispatcherConfig(keep_finished=text)
    assert (config.problems(), config.keep_finished_seconds) == ([], seconds)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [("a month", "90s, 15m"), ("0s", "leave it empty"), ("-1d", "90s, 15m"), ("30", "30d"), (" 3 0 ", "30d for days")],
)
def test_dispatcher_unit_config_refuses_times_that_keep_too_little(text: str, remedy: str) -> None:
    """What is no length of time, none at all, or a number that nobody meant in seconds, is refused with the key."""
    (told,) = DispatcherConfig(keep_finished=text).problems()
    assert told.startswith("keep_finished")
    assert remedy in told


def test_dispatcher_unit_config_says_what_each_key_does() -> None:
    """Every key has its sentence."""
    assert all(setting.effect for setting in DispatcherConfig.settings())


@pytest.mark.parametrize("text", ['{ mine = ["random", "least_loaded"] }', '{"mine": ["random", "least_loaded"]}'])
def test_dispatcher_unit_config_reads_composites_from_every_layer(text: str, tmp_path: Path) -> None:
    """A table of the file, and a variable as TOML or as JSON, which replaces the file's."""
    (tmp_path / "scheduler.toml").write_text('[dispatcher.composites]\nyours = ["round_robin"]\n', encoding="utf-8")
    environ: dict[str, str] = {}
    config = load_settings(config_dir=tmp_path, environ=environ).section(DispatcherConfig)
    assert config.composites == {"yours": ("round_robin",)}
    environ["SCHEDULER_DISPATCHER__COMPOSITES"] = text
    config = load_settings(config_dir=tmp_path, environ=environ).section(DispatcherConfig)
    assert config.composites == {"mine": ("random", "least_loaded")}


def test_dispatcher_unit_config_tells_field_value_and_origin_of_a_bad_composite(tmp_path: Path) -> None:
    """All that is wrong with composites is told at once, with the file."""
    (tmp_path / "scheduler.toml").write_text(
        '[dispatcher]\nstrategy = "nothing"\n[dispatcher.composites]\na = ["b"]\nb = ["a"]\nc = []\n', encoding="utf-8"
    )
    with pytest.raises(ConfigError) as caught:
        load_settings(config_dir=tmp_path, environ={})
    told = str(caught.value)
    origin = tmp_path / "scheduler.toml"
    assert f"dispatcher.strategy ({origin}) 'nothing' is not installed" in told
    assert f"dispatcher.composites ({origin}): 'c' is empty" in told
    assert f"dispatcher.composites ({origin}): 'a' leads back to itself (a, b, a)" in told
