"""What a job says of itself, in words."""

from collections.abc import Mapping
from typing import Any


def progress_words(
    progress: Mapping[str, Any] | None, *, with_metrics: bool = False, characters_max: int | None = None
) -> str:
    """How much is done, and what the job said to it; empty where it has said nothing.

    >>> progress_words({"share": 0.405, "text": "north done", "metrics": {"rows": 1200.0}}, with_metrics=True)
    '40 % north done (rows 1200)'
    """
    if not progress:
        return ""
    share, text, metrics = progress.get("share"), progress.get("text"), progress.get("metrics") or {}
    parts = [f"{int(share * 100)} %"] if share is not None else []
    if text:
        parts.append(" ".join(str(text).split()))
    if metrics and with_metrics:
        parts.append(f"({', '.join(f'{name} {_number(value)}' for name, value in metrics.items())})")
    words = " ".join(parts)
    return words if characters_max is None or len(words) <= characters_max else f"{words[: characters_max - 1]}…"


def _number(value: float) -> str:
    return f"{int(value)}" if value == int(value) and abs(value) < 1e15 else f"{value:g}"
