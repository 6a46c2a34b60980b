"""`scheduler components`: what is installed."""

from scheduler_core.config import Settings, load_settings
from scheduler_core.errors import ConfigError
from scheduler_core.runtime.broken_plugin import BrokenPlugin
from scheduler_core.runtime.component_registry import InstalledComponent, installed_components
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import OutputFormat, warn, write_json, write_table
from scheduler_core.runtime.output_option import Output

_COLUMNS = ("name", "distribution", "version", "order", "enabled", "problem")


def components(*, output: Output = "table", config: ConfigOptions | None = None) -> int:
    """List the installed components in the order in which `scheduler up` starts them.

    The exit code is 1 when one of them cannot be loaded.
    """
    config = config or ConfigOptions()
    settings: Settings | None = None
    try:
        settings = load_settings(config.flags, config_dir=config.config_dir)
    except ConfigError as error:
        warn(f"Whether components are enabled is not known: {error}")
    rows = sorted(
        (_describe(component, settings) for component in installed_components()),
        key=lambda row: (row["order"] is None, row["order"] or 0, str(row["name"])),
    )
    _write(rows, output)
    return 1 if any(row["problem"] for row in rows) else 0


def _describe(component: InstalledComponent, settings: Settings | None) -> dict[str, object]:
    row: dict[str, object] = dict.fromkeys(_COLUMNS)
    row.update(name=component.name, distribution=component.distribution, version=component.version)
    try:
        loaded = component.load()
        row["order"] = loaded.order
        row["enabled"] = None if settings is None else loaded.is_enabled(settings)
    except Exception as error:  # a plug-in may fail in any way
        row["problem"] = str(BrokenPlugin.of(component.entry, error))
    return row


def _write(rows: list[dict[str, object]], output: OutputFormat) -> None:
    if output == "json":
        write_json(rows)
        return
    write_table(_COLUMNS, [[_cell(row[column]) for column in _COLUMNS] for row in rows])


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
