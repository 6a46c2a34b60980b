"""What is said of a run that failed, in a form that can be sent and stored."""

ERROR_CHARS_MAX = 10_000


def storable(text: str) -> str:
    """The text as PostgreSQL takes it: without NULs and lone surrogates, and not endless."""
    clean = text[: ERROR_CHARS_MAX + 1].replace("\0", "").encode("utf-8", "replace").decode()
    return clean if len(text) <= ERROR_CHARS_MAX else clean[: ERROR_CHARS_MAX - 1] + "…"


def described(error: BaseException) -> str:
    """An exception in one phrase: its type, and what it says if it can say anything."""
    try:
        text = str(error).strip().rstrip(".")
    except Exception:  # the class belongs to somebody else
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def too_large(size: int, limit: int) -> str:
    """Why a result of `size` bytes is not kept."""
    return (
        f"The result has {size} bytes as JSON; at most {limit} are stored (worker.result_limit_bytes). Return a "
        "reference to where the data is instead."
    )
