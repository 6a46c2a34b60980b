"""The one place where the configuration is found and merged, and the only importer of dynaconf."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.config.config_layers import (
    MAIN_FILE,
    SECRETS_FILE,
    Layer,
    file_layer,
    flag_layer,
    variable_layers,
)
from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.section_registry import InstalledSections, installed_sections
from scheduler_core.config.settings import Settings, join_errors
from scheduler_core.config.state_dir import find_state_dir
from scheduler_core.errors import ConfigError

Values = dict[str, dict[str, ConfigValue]]


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    config_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    sections: InstalledSections | None = None,
) -> Settings:
    """Read and merge every layer, and check all sections that are installed here.

    Later ones win: code defaults, scheduler.toml, {SCHEDULER_ENV}.toml, .secrets.toml, SCHEDULER_SECTION__KEY_FILE,
    SCHEDULER_SECTION__KEY, `flags` ("section.key" to value). The files are looked for in `config_dir`, else as
    `find_config_dir` says; with none at all the defaults give the embedded mode. Raises ConfigError telling
    everything that is wrong at once.
    """
    installed = installed_sections() if sections is None else sections
    directory = find_config_dir(environ) if config_dir is None else _named_dir(config_dir, "--config-dir")
    environment = environ.get("SCHEDULER_ENV", "").strip()
    layers = [
        *_file_layers(directory, environment, installed),
        *variable_layers(environ, installed),
        flag_layer(flags or {}, installed),
    ]
    settings = Settings(
        _merge([layer.values for layer in layers if layer.values]),
        environment=environment,
        state_dir=find_state_dir(environ),
        config_dir=directory,
    )
    errors = [error for layer in layers for error in layer.errors]
    errors += [error for section in installed.sections.values() for error in settings.errors_of(section)]
    if errors:
        raise join_errors(errors)
    return settings


def find_config_dir(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The first that exists of SCHEDULER_CONFIG_DIR, ./config and the platform's places; None when none does.

    Raises ConfigError when SCHEDULER_CONFIG_DIR names no directory: looking elsewhere would hide the mistake.
    """
    if named := environ.get("SCHEDULER_CONFIG_DIR"):
        return _named_dir(Path(named), "SCHEDULER_CONFIG_DIR")
    # Any project may have a folder of this name; ours is known by its files.
    local = Path("config")
    names = [MAIN_FILE, SECRETS_FILE, f"{environ.get('SCHEDULER_ENV', '').strip()}.toml"]
    if any((local / name).is_file() for name in names):
        return local
    return next((directory for directory in _platform_dirs() if directory.is_dir()), None)


def _platform_dirs() -> list[Path]:
    import platformdirs

    user = Path(platformdirs.user_config_dir("scheduler", appauthor=False))
    return [user, Path("/etc/scheduler"), Path(platformdirs.site_config_dir("scheduler", appauthor=False))]


def _named_dir(path: Path, source: str) -> Path:
    path = path.expanduser()
    if not path.is_dir():
        raise ConfigError(f"{source} names {path}, which is not a directory. Create it, or name the right one.")
    return path


def _file_layers(directory: Path | None, environment: str, installed: InstalledSections) -> list[Layer]:
    if environment and not environment.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"SCHEDULER_ENV cannot be {environment!r}: use letters, digits, - and _, like production.")
    if directory is None:
        return []
    layers = [file_layer(directory / MAIN_FILE, installed)]
    if environment:
        layers.append(file_layer(_environment_file(directory, environment), installed))
    return [*layers, file_layer(directory / SECRETS_FILE, installed)]


def _environment_file(directory: Path, environment: str) -> Path:
    path = directory / f"{environment}.toml"
    if not path.exists():
        have = sorted(file.stem for file in directory.glob("[!.]*.toml") if file.name != MAIN_FILE)
        raise ConfigError(
            f"SCHEDULER_ENV is {environment!r}, but there is no {path} (there are: {', '.join(have) or 'none'}). "
            "Create the file, name another environment, or unset SCHEDULER_ENV."
        )
    return path


def _merge(layers: Sequence[Values]) -> Values:
    """Lay the layers over each other, key by key."""
    if len(layers) < 2:
        return dict(layers[0]) if layers else {}
    # dynaconf takes 0.2 s to import; a process with one layer has nothing to merge.
    from dynaconf import Dynaconf

    # Everything dynaconf would find, parse or evaluate by itself is off: values are opaque to it, so that text
    # stays text, "@jinja" stays a word, and a list replaces a list.
    merged = Dynaconf(
        settings_files=[],
        core_loaders=[],
        loaders=[],
        merge_enabled=True,
        load_dotenv=False,
        environments=False,
        dotted_lookup=False,
        nested_separator=None,
        dynaconf_skip_loaders=True,
        dynaconf_skip_validators=True,
    )
    for layer in layers:
        merged.update({name: {key: _Opaque(value) for key, value in table.items()} for name, table in layer.items()})
    names = {section for layer in layers for section in layer}
    return {name: {key: opaque.value for key, opaque in merged[name].items()} for name in names}


class _Opaque:
    """Hides a value from dynaconf, which would otherwise merge lists and evaluate text."""

    __slots__ = ("value",)

    def __init__(self, value: ConfigValue) -> None:
        self.value = value
