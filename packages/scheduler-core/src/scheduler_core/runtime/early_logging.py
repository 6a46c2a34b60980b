"""Logging until a component sets up its own."""

import logging
import sys


def log_to_stderr() -> None:
    """Send what is logged before observability is set up to stderr, structlog's events included.

    Libraries are heard from WARNING on. Does nothing where logging is set up already.
    """
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        # On the handler, so that nothing of this remains when observability puts its own in place.
        handler.addFilter(_is_worth_telling)
        root.addHandler(handler)
        root.setLevel(logging.INFO)
    import structlog

    # structlog would print to stdout, which belongs to data.
    if not structlog.is_configured():
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def _is_worth_telling(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.name.startswith("scheduler")
