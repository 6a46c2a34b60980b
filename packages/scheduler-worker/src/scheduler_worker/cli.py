"""The console script scheduler-worker."""

import sys
from collections.abc import Sequence

from scheduler_core.runtime import run_component_script
from scheduler_worker.run_command import run


def main(argv: Sequence[str] | None = None) -> None:
    """Run the worker until a signal and exit with its code."""
    sys.exit(run_component_script("worker", argv, run=run))


if __name__ == "__main__":
    main()
