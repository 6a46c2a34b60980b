"""The layers a configuration is made of, each read as it is found."""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.section_registry import InstalledSections
from scheduler_core.config.settings import nearest, unknown_key
from scheduler_core.errors import ConfigError, UnknownConfigKeyError

PREFIX = "SCHEDULER_"
MAIN_FILE = "scheduler.toml"
SECRETS_FILE = ".secrets.toml"


class Layer(NamedTuple):
    """Values by section and key, with everything that is wrong with where they are written."""

    values: dict[str, dict[str, ConfigValue]]
    errors: list[ConfigError]

    @classmethod
    def empty(cls) -> "Layer":
        """A layer that says nothing yet."""
        return cls({}, [])

    def put(self, section: str, key: str, value: ConfigValue, installed: InstalledSections) -> None:
        """Add a value, or the error that its section or key is unknown."""
        if section not in installed.names:
            near = nearest(section, installed.names)
            owner = installed.sections.get(near) if near else None
            field = nearest(key, owner.__struct_fields__) if owner is not None else key
            wanted = f"{near}.{field}" if near and field else near
            self.errors.append(UnknownConfigKeyError(f"{section}.{key}", value.origin, wanted))
            return
        owner = installed.sections.get(section)
        if owner is not None and key not in owner.__struct_fields__:
            self.errors.append(unknown_key(section, key, value.origin, owner.__struct_fields__))
            return
        self.values.setdefault(section, {})[key] = value


def file_layer(path: Path, installed: InstalledSections) -> Layer:
    """What a TOML file says; a file that does not exist says nothing."""
    layer = Layer.empty()
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return layer
    except OSError as error:
        layer.errors.append(ConfigError(f"{path} cannot be read ({error.strerror}). Make it readable, or remove it."))
        return layer
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        layer.errors.append(ConfigError(f"{path} is not valid TOML: {error}. Correct it at the place named."))
        return layer
    origin = str(path)
    for section, table in content.items():
        if section not in installed.names:
            layer.errors.append(UnknownConfigKeyError(section, origin, nearest(section, installed.names)))
        elif not isinstance(table, dict):
            layer.errors.append(
                ConfigError(f"{section} ({origin}) is a section, not a key. Write its keys below a line [{section}].")
            )
        else:
            for key, value in table.items():
                layer.put(section, key, ConfigValue(value, origin), installed)
    return layer


def variable_layers(environ: Mapping[str, str], installed: InstalledSections) -> tuple[Layer, Layer]:
    """What SCHEDULER_SECTION__KEY_FILE name the contents of, and what SCHEDULER_SECTION__KEY say, in that order."""
    from_files, direct = Layer.empty(), Layer.empty()
    for variable in sorted(name for name in environ if name.startswith(PREFIX)):
        origin = f"environment variable {variable}"
        section, separator, key = variable.removeprefix(PREFIX).lower().partition("__")
        if not separator:
            _refuse_single_underscore(variable, direct, installed)
        elif _names_a_file(section, key, installed):
            content = _read_value_file(variable, Path(environ[variable]), from_files)
            if content is not None:
                value = ConfigValue(content, f"{origin}, file {environ[variable]}", is_text=True)
                from_files.put(section, key.removesuffix("_file"), value, installed)
        else:
            direct.put(section, key, ConfigValue(environ[variable], origin, is_text=True), installed)
    return from_files, direct


def _names_a_file(section: str, key: str, installed: InstalledSections) -> bool:
    # A key may itself end in "_file"; it then means the path, as in tls_cert_file.
    owner = installed.sections.get(section)
    fields: Sequence[str] = owner.__struct_fields__ if owner is not None else ()
    return key.endswith("_file") and key not in fields and key.removesuffix("_file") in fields


def _read_value_file(variable: str, path: Path, layer: Layer) -> str | None:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        layer.errors.append(
            ConfigError(
                f"The file {path} named by {variable} cannot be read ({reason}). "
                f"Make it readable for uid {os.geteuid()}, or unset {variable}."
            )
        )
        return None


def _refuse_single_underscore(variable: str, layer: Layer, installed: InstalledSections) -> None:
    # SCHEDULER_DATABASE_URL would silently change nothing; names that match no key belong to somebody else.
    rest = variable.removeprefix(PREFIX).lower()
    for name, owner in installed.sections.items():
        key = rest.removeprefix(f"{name}_")
        if key != rest and key in owner.__struct_fields__:
            meant = f"{PREFIX}{name}__{key}".upper()
            layer.errors.append(UnknownConfigKeyError(variable, "environment variable", meant))


def flag_layer(flags: Mapping[str, Any], installed: InstalledSections) -> Layer:
    """What ``--set section.key=value`` says; text is read as the setting's type, other values are taken as they are."""
    layer = Layer.empty()
    for name, value in flags.items():
        section, _, key = name.partition(".")
        found = ConfigValue(value, f"flag --set {name}", is_text=isinstance(value, str))
        layer.put(section, key, found, installed)
    return layer
