"""What queues, namespaces, tags and the like may be called: names that need no quotes anywhere."""

import re

LABEL_LENGTH_MAX = 100

_LABEL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def label_problem(what: str, value: str) -> str | None:
    """Why a label cannot be used, as a sentence that calls it `what`; None when it can.

    >>> label_problem("queue", "a b")
    "The queue 'a b' is not valid: use 1 to 100 letters, digits, '_', '-' and '.', not beginning with '-' or '.'."
    """
    if _LABEL.fullmatch(value) and len(value) <= LABEL_LENGTH_MAX:
        return None
    return (
        f"The {what} {value[:50]!a} is not valid: use 1 to {LABEL_LENGTH_MAX} letters, digits, '_', '-' and '.', "
        "not beginning with '-' or '.'."
    )
