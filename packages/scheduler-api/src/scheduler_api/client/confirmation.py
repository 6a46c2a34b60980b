"""Asks before something is done that cannot be taken back."""

import sys

from scheduler_api.client.client_error import UsageError


def confirmed(question: str, deed: str) -> bool:
    """Whether the question is answered with yes; raises UsageError, naming the deed, where nobody can be asked."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{deed} needs --yes where nobody can be asked.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
