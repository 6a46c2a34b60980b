"""The generated configuration documents."""

import tomllib
from pathlib import Path
from typing import ClassVar

import msgspec
import pytest

from scheduler_core.config import ConfigSection, Settings, load_settings, setting
from scheduler_core.config.documentation import configuration_file, expected_files, toml_value
from scheduler_core.config.section_registry import InstalledSections, installed_sections
from scheduler_core.errors import ConfigError

ROOT = Path(__file__).parents[4]


class OddSection(ConfigSection):
    """A section with defaults that are hard to write."""

    section: ClassVar[str] = "worker"
    text: str = setting('a "b" \\ c\n', "Text with quotes.")
    table: dict[str, int] = setting({"a b": 1}, "A table.")
    numbers: list[float] = setting([0.5, 1e30], "Numbers.")
    unset: str | None = setting(None, "Nothing.")


def test_documents_are_current() -> None:
    """docs/configuration.md and config/scheduler.toml say what the sections say; `… documentation write` makes them."""
    installed = installed_sections()
    assert installed.broken == ()
    for path, text in expected_files(installed).items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path} is stale"


def test_scheduler_toml_holds_exactly_the_defaults() -> None:
    """Deleting the file changes nothing."""
    installed = installed_sections()
    content = tomllib.loads((ROOT / "config/scheduler.toml").read_text(encoding="utf-8"))
    assert content.keys() == installed.sections.keys()
    for name, section in installed.sections.items():
        defaults = {s.key: s.default for s in section.settings() if s.default is not None}
        assert content[name] == msgspec.json.decode(msgspec.json.encode(defaults))


def load(environment: str, **environ: str) -> Settings:
    """The shipped files as a process reads them."""
    return load_settings(config_dir=ROOT / "config", environ={"SCHEDULER_ENV": environment, **environ})


def test_development_needs_nothing() -> None:
    """The files of a checkout give the embedded mode, for root too."""
    settings = load("development")
    assert settings.origin("worker.allow_root").endswith("config/development.toml")


def test_production_needs_a_database_and_no_more() -> None:
    """Without the secret nothing starts on an empty database; with it everything is valid."""
    with pytest.raises(ConfigError, match=r"database.url \(.*config/production.toml\)"):
        load("production")
    settings = load("production", SCHEDULER_DATABASE__URL="postgresql://joe:x@db/scheduler")
    assert settings.origin("database.url") == "environment variable SCHEDULER_DATABASE__URL"


def test_every_key_has_an_effect() -> None:
    """No key is documented by its name alone."""
    for section in installed_sections().sections.values():
        for key in section.settings():
            assert len(key.effect) > 10, f"{section.section}.{key.key}"
            assert key.effect.endswith("."), f"{section.section}.{key.key}"


def test_configuration_file_reads_back(tmp_path: Path) -> None:
    """Whatever a default is, the file gives it back."""
    text = configuration_file([OddSection])
    (tmp_path / "scheduler.toml").write_text(text, encoding="utf-8")
    settings = load_settings(config_dir=tmp_path, environ={}, sections=InstalledSections({"worker": OddSection}, ()))
    assert settings.section(OddSection) == OddSection()
    assert "# unset =" in text


def test_toml_value_writes_booleans_and_numbers() -> None:
    """TOML's own words are used."""
    assert [toml_value(value) for value in (True, 1, 1.0, "x", Path("/a"), ())] == [
        "true",
        "1",
        "1.0",
        '"x"',
        '"/a"',
        "[]",
    ]
