"""All settings of a process, read once."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from scheduler_core.config.config_section import ConfigSection, Setting
from scheduler_core.config.config_value import ConfigValue
from scheduler_core.config.state_dir import find_state_dir
from scheduler_core.config.value_conversion import convert_value, describe_type
from scheduler_core.errors import ConfigError, UnknownConfigKeyError

SectionT = TypeVar("SectionT", bound=ConfigSection)

DEFAULT_ORIGIN = "default"


class Settings:
    """Typed sections of the merged configuration; made by `load_settings`, or by `of` from ready sections."""

    def __init__(
        self,
        values: Mapping[str, Mapping[str, ConfigValue]],
        *,
        environment: str = "",
        state_dir: Path | None = None,
        config_dir: Path | None = None,
    ) -> None:
        self._values = values
        self._sections: dict[type[ConfigSection], ConfigSection] = {}
        self._environment = environment
        self._state_dir = state_dir or find_state_dir()
        self._config_dir = config_dir

    @classmethod
    def of(cls, *sections: ConfigSection, state_dir: Path | None = None, environment: str = "") -> "Settings":
        """Settings holding these sections; all others have their defaults. Reads no file and no variable."""
        settings = cls({}, environment=environment, state_dir=state_dir)
        settings._sections.update({type(section): section for section in sections})
        return settings

    @property
    def environment(self) -> str:
        """The value of SCHEDULER_ENV, such as "development" or "production"; empty when it is not set."""
        return self._environment

    @property
    def state_dir(self) -> Path:
        """SCHEDULER_STATE_DIR, else the platform's place for state; see `find_state_dir`."""
        return self._state_dir

    @property
    def config_dir(self) -> Path | None:
        """The directory whose files were read; None when there is none."""
        return self._config_dir

    def section(self, section: type[SectionT]) -> SectionT:
        """The section with its defaults filled in; raises ConfigError naming key, value, origin and remedy."""
        ready = self._sections.get(section)
        if ready is None:
            errors, ready = self._build(section)
            if ready is None:
                raise join_errors(errors)
            self._sections[section] = ready
        if not isinstance(ready, section):
            raise TypeError(f"{ready!r} is not a {section.__name__}")
        return ready

    def with_live_keys_of(self, newer: "Settings", sections: Iterable[type[ConfigSection]]) -> "Settings":
        """These settings with the live keys of `sections` as `newer` has them, and all others as they are here.

        Raises ConfigError when the new values do not go together with what only a restart would change.
        """
        values = {name: dict(keys) for name, keys in self._values.items()}
        made = Settings(values, environment=self._environment, state_dir=self._state_dir, config_dir=self._config_dir)
        made._sections.update(self._sections)
        errors = []
        for section in sections:
            live = [setting.key for setting in section.settings() if setting.live]
            found, mine = newer.raw_section(section.section), values.setdefault(section.section, {})
            for key in live:
                mine.pop(key, None)
                mine.update({key: found[key]} if key in found else {})
            changes = {key: getattr(newer.section(section), key) for key in live}
            mixed = msgspec.structs.replace(self.section(section), **changes)
            made._sections[section] = mixed
            errors += [
                ConfigError(
                    f"{made._with_origin(section, problem)} The rest keeps its old value until a restart, which "
                    "would take over all."
                )
                for problem in mixed.problems()
            ]
        if errors:
            raise join_errors(errors)
        return made

    def errors_of(self, section: type[ConfigSection]) -> list[ConfigError]:
        """Everything that is wrong with a section; empty when it can be used."""
        return [] if section in self._sections else self._build(section)[0]

    def origin(self, key: str) -> str:
        """Where the value of ``section.key`` comes from: a file, a variable, a flag, or "default"."""
        section, _, name = key.partition(".")
        value = self._values.get(section, {}).get(name)
        return DEFAULT_ORIGIN if value is None else value.origin

    def raw_section(self, name: str) -> Mapping[str, ConfigValue]:
        """The values set for a section as they were found, unchecked; for sections that nobody here owns."""
        return self._values.get(name, {})

    def _build(self, section: type[SectionT]) -> tuple[list[ConfigError], SectionT | None]:
        found = self._values.get(section.section, {})
        known = {setting.key: setting for setting in section.settings()}
        errors: list[ConfigError] = [
            unknown_key(section.section, key, found[key].origin, known) for key in found if key not in known
        ]
        converted = {}
        for key, setting in known.items():
            if key in found:
                try:
                    converted[key] = convert_value(found[key], setting.type)
                except ValueError as error:
                    errors.append(_wrong_value(section.section, setting, found[key], error))
        if errors:
            return errors, None
        try:
            made = section(**converted)
            problems = made.problems()
        except ValueError as error:
            return [ConfigError(f"{section.section}: {error}")], None
        if problems:
            return [ConfigError(self._with_origin(section, problem)) for problem in problems], None
        return [], made

    def _with_origin(self, section: type[ConfigSection], problem: str) -> str:
        """A sentence that begins with a key, with the section before the key and the origin behind it."""
        word, space, rest = problem.removeprefix(f"{section.section}.").partition(" ")
        key = word.rstrip(":,")
        if key not in section.__struct_fields__:
            return f"{section.section}: {problem}"
        value = self._values.get(section.section, {}).get(key)
        origin = f" ({value.origin})" if value is not None else ""
        return f"{section.section}.{key}{origin}{word[len(key) :]}{space}{rest}"


def _wrong_value(section: str, setting: Setting, value: ConfigValue, error: ValueError) -> ConfigError:
    # A secret, or the text of an error that repeats it, must not reach a terminal or a log.
    shown = "(secret)" if setting.secret else repr(value.value)
    wanted = describe_type(setting.type)
    reason = "" if setting.secret or not str(error) else f" {str(error).rstrip('.')}."
    return ConfigError(
        f"{section}.{setting.key} cannot be {shown} ({value.origin}): it must be {wanted}.{reason} "
        f"Change it, or remove it to get the default {setting.default!r}."
    )


def unknown_key(section: str, key: str, origin: str, known: Iterable[str]) -> UnknownConfigKeyError:
    """The error for a key that a section does not have, with the nearest name."""
    names = list(known)
    # What other systems call it looks nothing like our name for both in one.
    near = "bind_address" if key in ("host", "port") and "bind_address" in names else nearest(key, names)
    return UnknownConfigKeyError(f"{section}.{key}", origin, f"{section}.{near}" if near else None)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like this one; None when none is similar."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)), None)


def join_errors(errors: list[ConfigError]) -> ConfigError:
    """One error that tells all of these, one on each line."""
    if len(errors) == 1:
        return errors[0]
    return ConfigError(f"{len(errors)} settings cannot be used:\n" + "\n".join(f"  - {error}" for error in errors))
