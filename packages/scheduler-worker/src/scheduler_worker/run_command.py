"""What the console script does without a word: run the worker, in one process or in several."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scheduler_core.config import load_settings
from scheduler_core.errors import SchedulerError
from scheduler_core.runtime.component_process import run_components
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.early_logging import log_to_stderr
from scheduler_worker.worker_config import WorkerConfig

Hidden = Annotated[int | None, Parameter(show=False)]


def run(
    *,
    processes: Annotated[
        int | None,
        Parameter(help="How many worker processes to run, each with places of its own [worker.processes]."),
    ] = None,
    lifeline: Hidden = None,
    config: ConfigOptions | None = None,
) -> int:
    """Run the worker until a signal. This is also what no command at all does."""
    config = config or ConfigOptions()
    flags = {**config.flags, **({} if processes is None else {"worker.processes": str(processes)})}
    if lifeline is not None:
        from scheduler_worker.lifeline import hold_lifeline

        # One of several: the one that started it looks after the others.
        hold_lifeline(lifeline)
    elif (worker := _settings(flags, config.config_dir)) is not None and worker.processes > 1:
        return _run_several(worker, flags, config.config_dir)
    return run_components(["worker"], flags=flags, config_dir=config.config_dir)


def _settings(flags: Mapping[str, str], config_dir: Path | None) -> WorkerConfig | None:
    """None for settings that cannot be used, which whoever runs the component tells in full."""
    try:
        return load_settings(flags, config_dir=config_dir).section(WorkerConfig)
    except SchedulerError:
        return None


def _run_several(worker: WorkerConfig, flags: Mapping[str, str], config_dir: Path | None) -> int:
    from scheduler_core.runtime.process_identity import ProcessIdentity
    from scheduler_core.runtime.service_manager import ServiceManager
    from scheduler_worker.worker_id import default_worker_id
    from scheduler_worker.worker_processes import WorkerProcesses

    log_to_stderr()
    name = worker.worker_id or default_worker_id(ProcessIdentity.own())

    def command(number: int, lifeline: int) -> Sequence[str]:
        # Not the present directory, from which a worker must not take modules of its own.
        parts = [sys.executable, "-P", "-m", "scheduler_worker.cli", "run", "--lifeline", str(lifeline)]
        parts += [] if config_dir is None else ["--config-dir", str(config_dir)]
        for key, value in {**flags, "worker.worker_id": f"{name}-{number}"}.items():
            parts += ["--set", f"{key}={value}"]
        return parts

    manager = ServiceManager.of_process()
    return asyncio.run(WorkerProcesses(name, worker.processes, command, manager).run())
