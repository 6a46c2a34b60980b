"""Finding and choosing components."""

import asyncio
import sys
import types
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import pytest

from scheduler_core.config import Settings
from scheduler_core.errors import ComponentFailedError, ComponentMissingError
from scheduler_core.runtime.component_registry import InstalledComponent, select_components


class Good:
    """A component."""

    name: ClassVar[str] = "good"
    order: ClassVar[int] = 20
    enabled: ClassVar[bool] = True

    def __init__(self, context: object) -> None: ...

    @classmethod
    def is_enabled(cls, settings: Settings) -> bool:
        """As the class says."""
        return cls.enabled

    async def run(self, ready: Callable[[str], None], stopping: asyncio.Event) -> None:
        """Do nothing."""


class Early(Good):
    """One that starts before the other."""

    name: ClassVar[str] = "early"
    order: ClassVar[int] = 10


class Disabled(Good):
    """One that the configuration does not want."""

    name: ClassVar[str] = "off"
    enabled: ClassVar[bool] = False


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[InstalledComponent]:
    """Three that work, one that does not exist, one that is no component."""
    module: Any = types.ModuleType("acme_components")
    module.Good, module.Early, module.Disabled, module.Nothing = Good, Early, Disabled, object
    monkeypatch.setitem(sys.modules, "acme_components", module)
    places = {"good": "Good", "early": "Early", "off": "Disabled", "gone": "Gone", "odd": "Nothing"}
    return [
        InstalledComponent(name, "acme", "1", EntryPoint(name, f"acme_components:{place}", "scheduler.components"))
        for name, place in places.items()
    ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Defaults."""
    return Settings.of(state_dir=tmp_path)


def test_select_components_takes_the_enabled_ones_in_order(
    settings: Settings, installed: list[InstalledComponent]
) -> None:
    """Broken ones are told and do not stop the rest; disabled ones stay out."""
    selection = select_components(settings, installed=installed)
    assert [component.name for component in selection.components] == ["early", "good"]
    assert [plugin.name for plugin in selection.broken] == ["gone", "odd"]
    assert "cannot be loaded and is left out: AttributeError" in str(selection.broken[0])


def test_select_components_takes_named_ones_even_when_disabled(
    settings: Settings, installed: list[InstalledComponent]
) -> None:
    """Naming a component is a wish that outranks `enabled = false`."""
    assert [c.name for c in select_components(settings, ["off"], installed=installed).components] == ["off"]
    found = select_components(settings, without=["good"], installed=installed)
    assert [c.name for c in found.components] == ["early"]


def test_select_components_refuses_names_that_are_not_installed(
    settings: Settings, installed: list[InstalledComponent]
) -> None:
    """The error says what there is and what to install, for both lists."""
    with pytest.raises(ComponentMissingError, match=r"installed: good, early.*Install scheduler-wroker"):
        select_components(settings, ["wroker"], installed=installed)
    with pytest.raises(ComponentMissingError):
        select_components(settings, without=["wroker"], installed=installed)
    with pytest.raises(ComponentMissingError, match=r"Did you mean good\?"):
        select_components(settings, without=["godo"], installed=installed)


def test_select_components_fails_when_a_named_one_is_broken(
    settings: Settings, installed: list[InstalledComponent]
) -> None:
    """What was asked for by name is never left out silently."""
    with pytest.raises(ComponentFailedError, match="gone"):
        select_components(settings, ["gone"], installed=installed)
