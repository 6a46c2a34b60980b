"""What a worker does on its host before it starts the first job."""

import logging
from pathlib import Path

from scheduler_core.config import Settings
from scheduler_worker.containment import supervision
from scheduler_worker.containment.control_groups import usable_group
from scheduler_worker.containment.leftovers import end_leftovers
from scheduler_worker.worker_config import WorkerConfig

logger = logging.getLogger("scheduler.worker")


def prepare(settings: Settings) -> None:
    """Go by the settings, end what dead workers have left, and tell whether jobs get control groups.

    Blocks for as long as that takes.
    """
    config = settings.section(WorkerConfig)
    base = Path(config.run_dir).absolute() if config.run_dir else settings.state_dir / "runs"
    supervision.configure(base, uses_control_groups=config.control_groups)
    end_leftovers(base)
    _tell_of_groups(is_wanted=config.control_groups)


def _tell_of_groups(*, is_wanted: bool) -> None:
    reason = "worker.control_groups is false"
    if is_wanted:
        try:
            logger.info("control groups found for jobs", extra={"group": usable_group(supervision.TOKEN)})
            return
        except OSError as error:
            reason = str(error)
    logger.info("no control groups found for jobs", extra={"reason": reason})
