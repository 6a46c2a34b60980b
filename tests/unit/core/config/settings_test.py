"""Settings as components use them."""

from pathlib import Path
from typing import ClassVar

import pytest

from scheduler_core.config import ConfigSection, Settings, setting
from scheduler_core.config.config_value import ConfigValue
from scheduler_core.errors import ConfigError


class ApiSection(ConfigSection):
    """A section for these tests."""

    section: ClassVar[str] = "api"
    port: int = setting(80, "Where it listens.")


def test_section_is_built_once_with_defaults(tmp_path: Path) -> None:
    """Everybody who asks gets the same object."""
    settings = Settings({}, state_dir=tmp_path)
    assert settings.section(ApiSection) == ApiSection()
    assert settings.section(ApiSection) is settings.section(ApiSection)


def test_section_of_a_package_without_entry_point_is_checked_when_asked(tmp_path: Path) -> None:
    """A section that nobody announced is refused as clearly as the others."""
    settings = Settings({"api": {"prot": ConfigValue(1, "a.toml")}}, state_dir=tmp_path)
    with pytest.raises(ConfigError, match=r"api.prot \(a.toml\). Did you mean api.port\?"):
        settings.section(ApiSection)


def test_of_gives_ready_sections(tmp_path: Path) -> None:
    """Tests and embedders can hand over sections without files."""
    settings = Settings.of(ApiSection(port=1), state_dir=tmp_path, environment="test")
    assert (settings.section(ApiSection).port, settings.state_dir, settings.environment) == (1, tmp_path, "test")
