"""One process that runs components until it is told to stop."""

import asyncio
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler_core.config import Settings, load_settings
from scheduler_core.config.section_registry import installed_sections
from scheduler_core.config.state_dir import prepare_state_dir
from scheduler_core.errors import ConfigError, SchedulerError
from scheduler_core.interfaces import Component
from scheduler_core.runtime.component_context import ProcessContext
from scheduler_core.runtime.component_registry import installed_components, select_components
from scheduler_core.runtime.component_runner import ComponentRunner
from scheduler_core.runtime.console import complain, warn
from scheduler_core.runtime.early_logging import log_to_stderr
from scheduler_core.runtime.exit_code import exit_code_of
from scheduler_core.runtime.garbage_collection import seek_less_garbage, spare_what_stays
from scheduler_core.runtime.hangup import Hangup
from scheduler_core.runtime.leftovers import Leftovers
from scheduler_core.runtime.service_manager import ServiceManager
from scheduler_core.runtime.settings_reload import SettingsReload
from scheduler_core.runtime.system_clock import SystemClock
from scheduler_core.runtime.watchdog import Watchdog

_GRACE_SECONDS = 30.0
_LEFTOVER_SECONDS = 5.0

logger = logging.getLogger("scheduler.runtime")


def run_components(
    names: Sequence[str] | None = None,
    *,
    without: Sequence[str] = (),
    flags: Mapping[str, Any] | None = None,
    config_dir: Path | None = None,
    announcement: Callable[[Settings], "Announcement"] | None = None,
) -> int:
    """Run components in this process till a signal, and return the exit code; problems are told on stderr.

    With `names` None those that the configuration enables, side by side as under ``scheduler up``. Named ones run
    whatever the configuration says, and share the process as embedded only when an `announcement` is given.
    """
    seek_less_garbage()
    log_to_stderr()
    try:
        settings = load_settings(flags, config_dir=config_dir)
        selection = select_components(settings, names, without)
        for plugin in selection.broken:
            warn(str(plugin))
        for section in installed_sections().broken:
            warn(f"The keys of [{section.name}] are not checked: {section.distribution} is broken ({section.reason}).")
        if not selection.components:
            raise ConfigError(
                "There is nothing to run: no component is installed and enabled. Install scheduler-api, "
                "scheduler-dispatcher or scheduler-worker, or set enabled = true in its section."
            )
        prepare_state_dir(settings.state_dir)
        telling = announcement(settings) if announcement is not None else Announcement(settings)
        context = ProcessContext(settings, SystemClock(), is_embedded=announcement is not None or names is None)
        components = [component(context) for component in selection.components]
    except SchedulerError as error:
        complain(str(error))
        return exit_code_of(error)
    return _run(components, settings, telling, lambda: load_settings(flags, config_dir=config_dir))


class Announcement:
    """Tells what is ready; this one by the log, as suits a service."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def ready(self, name: str, line: str) -> None:
        """One component is ready."""
        logger.info("%s ready: %s", name, line)

    def all_ready(self) -> None:
        """Every component is ready."""
        logger.info("ready; state in %s", self._settings.state_dir)


def _run(
    components: Sequence[Component], settings: Settings, telling: Announcement, read_again: Callable[[], Settings]
) -> int:
    manager = ServiceManager.of_process()
    clock = SystemClock()

    async def run() -> int:
        hangup = _hangup(components, settings, read_again, manager)
        told: list[str] = []

        def ready(name: str, line: str) -> None:
            told.append(line)
            telling.ready(name, line)

        def all_ready() -> None:
            spare_what_stays()
            telling.all_ready()
            manager.tell_ready("; ".join(told))
            hangup.begin.set()

        runner = ComponentRunner(
            components,
            grace_seconds=grace_seconds(components, settings),
            report_ready=ready,
            report_all_ready=all_ready,
            on_hangup=hangup.hear,
            report_stopping=manager.tell_stopping,
        )
        leftovers = Leftovers()
        # It has its first turn when the runner waits for the first time, and hears signals.
        beside = {
            asyncio.create_task(hangup.serve(), name="reload"),
            asyncio.create_task(Watchdog(components, manager, clock).run(), name="watchdog"),
        }
        try:
            code = await runner.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        if left := await leftovers.ended(_LEFTOVER_SECONDS):
            warn(f"Some jobs do not end although they were stopped ({', '.join(left)}); leaving without them.")
            sys.stdout.flush()
            os._exit(code)
        return code

    return asyncio.run(run())


def _hangup(
    components: Sequence[Component], settings: Settings, read_again: Callable[[], Settings], manager: ServiceManager
) -> Hangup:
    names = tuple(component.name for component in components)
    reload = SettingsReload(
        components,
        settings,
        read_again,
        sections=list(installed_sections().sections.values()),
        known_components=[component.name for component in installed_components()],
    )
    return Hangup(reload, names, settings.state_dir, manager)


def grace_seconds(components: Sequence[Component], settings: Settings) -> float:
    """Seconds that stopping may take in all: 30, and what the components' sections allow as `drain_seconds`."""
    sections = installed_sections().sections
    owned = [sections[component.name] for component in components if component.name in sections]
    return _GRACE_SECONDS + sum(float(getattr(settings.section(section), "drain_seconds", 0.0)) for section in owned)
