"""What a worker does on its host before it starts the first job."""

from pathlib import Path

from scheduler_core.config import Settings
from scheduler_worker.containment import supervision
from scheduler_worker.containment.leftovers import end_leftovers
from scheduler_worker.worker_config import WorkerConfig


def prepare(settings: Settings) -> None:
    """Go by the settings, and end what dead workers have left; blocks for as long as that takes."""
    config = settings.section(WorkerConfig)
    base = Path(config.run_dir).absolute() if config.run_dir else settings.state_dir / "runs"
    supervision.configure(base, uses_control_groups=config.control_groups)
    end_leftovers(base)
