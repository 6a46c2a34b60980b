"""`scheduler config`: what the settings are, where they come from, and having them read again."""

from typing import Annotated, Any, NamedTuple

import msgspec
from cyclopts import App, Parameter

from scheduler_core.config import Settings, load_settings
from scheduler_core.config.secret_mask import MASKED, mask
from scheduler_core.config.section_registry import InstalledSections, installed_sections
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import say, warn, write_json, write_table
from scheduler_core.runtime.output_option import Output
from scheduler_core.runtime.reload_command import reload

app = App(name="config", help="Show or check the configuration, or have it read again.")
app.command(reload)


class ShownSetting(NamedTuple):
    """A key with its value as it may be shown."""

    section: str
    key: str
    value: Any
    origin: str


@app.command
def show(
    *,
    origin: Annotated[bool, Parameter(negative=(), help="Say where each value comes from.")] = False,
    output: Output = "table",
    config: ConfigOptions | None = None,
) -> int:
    """Write every setting with its value; secrets are masked."""
    config = config or ConfigOptions()
    installed = installed_sections()
    settings = load_settings(config.flags, config_dir=config.config_dir)
    _warn_of_broken(installed)
    shown = shown_settings(settings, installed)
    if output == "json":
        document: dict[str, dict[str, Any]] = {}
        for setting in shown:
            value = {"value": setting.value, "origin": setting.origin} if origin else setting.value
            document.setdefault(setting.section, {})[setting.key] = value
        write_json(document)
        return 0
    columns = ["setting", "value", "origin"] if origin else ["setting", "value"]
    rows = [[f"{s.section}.{s.key}", _text(s.value), s.origin] for s in shown]
    write_table(columns, [row[: len(columns)] for row in rows])
    say(f"State is kept in {settings.state_dir}.")
    if origin:
        say(f"Files are read from {settings.config_dir.absolute() if settings.config_dir else 'nowhere'}.")
    return 0


@app.command
def check(*, config: ConfigOptions | None = None) -> int:
    """Read the whole configuration and tell everything that is wrong with it; the exit code is then 2."""
    config = config or ConfigOptions()
    installed = installed_sections()
    settings = load_settings(config.flags, config_dir=config.config_dir)
    _warn_of_broken(installed)
    where = settings.config_dir or "no files"
    environment = f", environment {settings.environment}" if settings.environment else ""
    say(f"The configuration is fine ({where}{environment}; sections: {', '.join(installed.sections) or 'none'}).")
    return 1 if installed.broken else 0


def shown_settings(settings: Settings, installed: InstalledSections) -> list[ShownSetting]:
    """Every setting of the installed sections, then what is set for sections that nobody here owns, masked."""
    shown = []
    for name, owner in installed.sections.items():
        values = settings.section(owner)
        for setting in owner.settings():
            value = mask(getattr(values, setting.key), secret=setting.secret, default=setting.default)
            plain = msgspec.to_builtins(value, enc_hook=str)
            shown.append(ShownSetting(name, setting.key, plain, settings.origin(f"{name}.{setting.key}")))
    for name in installed.names:
        if name not in installed.sections:
            # Without its owner nobody knows which of its keys are secret.
            shown += [
                ShownSetting(name, key, MASKED, value.origin) for key, value in settings.raw_section(name).items()
            ]
    return shown


def _warn_of_broken(installed: InstalledSections) -> None:
    for section in installed.broken:
        warn(f"The keys of [{section.name}] are not checked: {section.distribution} is broken ({section.reason}).")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value, enc_hook=str).decode()
