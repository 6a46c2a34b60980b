"""`scheduler doctor`: what could keep it from working, and the remedy."""

import asyncio

import msgspec

from scheduler_core.config import Settings, load_settings
from scheduler_core.errors import ConfigError
from scheduler_core.runtime.check import CheckResult, contributed_results
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import OutputFormat, say, write_json, write_table
from scheduler_core.runtime.installation_checks import (
    component_results,
    config_results,
    python_results,
    state_dir_results,
    version_results,
)
from scheduler_core.runtime.output_option import Output


def doctor(*, output: Output = "table", config: ConfigOptions | None = None) -> int:
    """Look at versions, configuration, state directory, and what installed packages check; 1 if anything is wrong."""
    config = config or ConfigOptions()
    results = [*version_results(), *python_results()]
    try:
        settings = load_settings(config.flags, config_dir=config.config_dir)
    except ConfigError as error:
        results.append(
            CheckResult("configuration", False, str(error), "Correct it; `scheduler config check` reads it.")
        )
    else:
        results += config_results(settings)
        results += component_results()
        results += state_dir_results(settings)
        results += asyncio.run(_contributed(settings))
    _write(results, output)
    failed = sum(not result.ok for result in results)
    say("Everything is well." if not failed else f"{failed} of {len(results)} checks found something to do.")
    return 1 if failed else 0


async def _contributed(settings: Settings) -> list[CheckResult]:
    return [result async for result in contributed_results(settings)]


def _write(results: list[CheckResult], output: OutputFormat) -> None:
    if output == "json":
        write_json(msgspec.to_builtins(results))
        return
    write_table(
        ("check", "state", "detail", "remedy"),
        [(r.name, "ok" if r.ok else "WRONG", r.detail, "" if r.ok else r.remedy) for r in results],
    )
