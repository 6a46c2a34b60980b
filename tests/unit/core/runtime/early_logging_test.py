"""Logging before observability."""

import subprocess
import sys


def test_log_to_stderr_keeps_stdout_for_data() -> None:
    """Neither stdlib records nor structlog's events reach stdout, and libraries keep their small talk to themselves."""
    code = (
        "import logging; from scheduler_core.runtime.early_logging import log_to_stderr; log_to_stderr();"
        "import structlog; structlog.get_logger().info('second');"
        "logging.getLogger('scheduler.a').info('first'); logging.getLogger('alembic').info('noise')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    assert "first" in done.stderr
    assert "second" in done.stderr
    assert "noise" not in done.stderr
