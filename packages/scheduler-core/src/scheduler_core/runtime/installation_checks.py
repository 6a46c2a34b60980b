"""Checks of what core itself can see."""

import os
import stat
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from scheduler_core.config import Settings
from scheduler_core.config.config_layers import SECRETS_FILE
from scheduler_core.config.section_registry import installed_sections
from scheduler_core.config.state_dir import untraversable_parent
from scheduler_core.runtime.broken_plugin import BrokenPlugin
from scheduler_core.runtime.check import CheckResult
from scheduler_core.runtime.command_line import versions
from scheduler_core.runtime.component_registry import installed_components


def version_results() -> Iterator[CheckResult]:
    """The distributions; siblings must share their major and minor version."""
    found = versions().splitlines()
    series = {line.split()[1].rsplit(".", 1)[0] for line in found}
    yield CheckResult(
        "distributions",
        len(series) == 1,
        ", ".join(found),
        "Install the same minor version of all scheduler distributions.",
    )


def python_results() -> Iterator[CheckResult]:
    """Python and the time zone data."""
    yield CheckResult(
        "python",
        sys.version_info >= (3, 11),
        f"{sys.version.split()[0]} ({sys.executable})",
        "Use Python 3.11 or newer.",
    )
    try:
        yield CheckResult("time zones", True, f"tzdata {version('tzdata')}")
    except PackageNotFoundError:
        yield CheckResult("time zones", False, "tzdata is not installed", "Install the distribution tzdata.")


def config_results(settings: Settings) -> Iterator[CheckResult]:
    """Where settings come from; that they are valid was seen when they were loaded."""
    where = str(settings.config_dir.absolute()) if settings.config_dir else "no files: defaults and variables"
    environment = f", environment {settings.environment}" if settings.environment else ""
    yield CheckResult("configuration", True, f"{where}{environment}; all sections are valid")
    for section in installed_sections().broken:
        yield CheckResult(
            f"section {section.name}", False, section.reason, f"Reinstall {section.distribution}; it is broken."
        )
    if settings.config_dir is not None and (settings.config_dir / SECRETS_FILE).exists():
        yield _secrets_file_result(settings.config_dir / SECRETS_FILE)


def _secrets_file_result(path: Path) -> CheckResult:
    mode = stat.S_IMODE(path.stat().st_mode)
    return CheckResult("secrets file", not mode & 0o077, f"{path}, mode {mode:04o}", f"Run: chmod 600 {path}")


def component_results() -> Iterator[CheckResult]:
    """Whether every installed component can be loaded."""
    broken = []
    for component in installed_components():
        try:
            component.load()
        except Exception as error:  # a plug-in may fail in any way
            broken.append(component.name)
            plugin = BrokenPlugin.of(component.entry, error)
            yield CheckResult(f"component {component.name}", False, plugin.reason, f"Reinstall {plugin.distribution}.")
    names = [component.name for component in installed_components() if component.name not in broken]
    yield CheckResult(
        "components",
        bool(names),
        ", ".join(names) or "none is installed",
        "Install scheduler-api, scheduler-dispatcher or scheduler-worker.",
    )


def state_dir_results(settings: Settings) -> Iterator[CheckResult]:
    """Whether the state directory can be used, by another uid too where root's PostgreSQL needs that."""
    path = settings.state_dir
    existing = next(directory for directory in [path, *path.parents] if directory.exists())
    usable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    state = f"mode {stat.S_IMODE(path.stat().st_mode):04o}" if path.exists() else "not made yet"
    yield CheckResult(
        "state directory",
        usable,
        f"{path} ({state})" + ("" if usable else f", uid {os.geteuid()} may not write to {existing}"),
        "Give it to this user, or set SCHEDULER_STATE_DIR to a directory that you may write to.",
    )
    if path.exists():
        shared = bool(path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_IROTH))
        yield CheckResult(
            "state directory privacy",
            not shared,
            "others may list or change it" if shared else "private",
            f"Run: chmod {'711' if os.geteuid() == 0 else '700'} {path}",
        )
    if os.geteuid() == 0:
        closed = untraversable_parent(existing)
        yield CheckResult(
            "state directory passage",
            closed is None,
            "another uid can pass through" if closed is None else f"no other uid can pass through {closed}",
            f"Run: chmod o+x {closed}, or set SCHEDULER_STATE_DIR to a place such as /var/lib/scheduler: "
            "PostgreSQL does not run as root.",
        )
