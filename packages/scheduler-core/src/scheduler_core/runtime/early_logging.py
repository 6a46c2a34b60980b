"""Logging until a component sets up its own."""

import logging
import sys


def log_to_stderr() -> None:
    """Send what is logged before observability is set up to stderr, structlog's events included.

    Does nothing where logging is set up already.
    """
    if not logging.getLogger().handlers:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    import structlog

    # structlog would print to stdout, which belongs to data.
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))
