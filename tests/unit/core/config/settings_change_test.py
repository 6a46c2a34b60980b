"""What a configuration that is read again changes."""

from typing import ClassVar

import pytest

from scheduler_core.config import ConfigSection, Settings, setting
from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.settings_change import SettingChange, setting_changes
from scheduler_core.errors import ConfigError


class Section(ConfigSection):
    """A section for these tests."""

    section: ClassVar[str] = "worker"
    places: int = setting(10, "How many.", live=True)
    names: tuple[str, ...] = setting((), "Which.", live=True)
    lease: int = setting(30, "How long.")
    url: str = setting("", "Where.", secret=True)

    def problems(self) -> list[str]:
        """Places are few when the lease is long."""
        return ["places is above the lease. Lower it."] if self.places > self.lease else []


def settings(origin: str, **values: object) -> Settings:
    """Settings as they are read."""
    return Settings({"worker": {key: ConfigValue(value, origin) for key, value in values.items()}})


def test_setting_changes_are_those_that_differ_with_secrets_masked() -> None:
    """A key that is merely written elsewhere has not changed."""
    old = settings("old", places=10, lease=30, url="postgresql://me:first@host/name")
    new = settings("new", lease=60, names=("a",), url="postgresql://me:second@host/name")
    assert setting_changes(old, new, [Section]) == [
        SettingChange("worker.names", (), ("a",), is_live=True),
        SettingChange("worker.lease", 30, 60, is_live=False),
        SettingChange(
            "worker.url", "postgresql://me:********@host/name", "postgresql://me:********@host/name", is_live=False
        ),
    ]


def test_with_live_keys_of_leaves_the_others() -> None:
    """What needs a restart is as it was, and what is live as it is now, origins included."""
    old = settings("old", places=5, names=["a"], lease=20)
    mixed = old.with_live_keys_of(settings("new", places=7, lease=60), [Section])
    assert mixed.section(Section) == Section(places=7, names=(), lease=20)
    origins = [mixed.origin(f"worker.{key}") for key in ("places", "names", "lease")]
    assert origins == ["new", "default", "old"]
    assert old.section(Section) == Section(places=5, names=("a",), lease=20)


def test_with_live_keys_of_ready_sections() -> None:
    """Sections that were handed over without files are mixed alike."""
    old, new = Settings.of(Section(places=5, lease=20)), Settings.of(Section(places=7, lease=60))
    assert old.with_live_keys_of(new, [Section]).section(Section) == Section(places=7, lease=20)


def test_with_live_keys_of_refuses_what_does_not_go_with_the_rest() -> None:
    """New values that are right together may be wrong beside old ones that only a restart would change."""
    with pytest.raises(ConfigError, match=r"worker.places \(new\) is above the lease. Lower it. The rest keeps"):
        settings("old").with_live_keys_of(settings("new", places=50, lease=60), [Section])
