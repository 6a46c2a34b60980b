"""Task names for the shell's completion: from the server, cached for 30 seconds, silent when it is away."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CACHE_SECONDS = 30.0
_ANSWER_SECONDS_MAX = 1.0
_NAMES_MAX = 200


def complete_task_names(context: Any) -> list[tuple[str, str]]:
    """Names of tasks with their schedules as hints; empty when nothing can be found out within a second."""
    return names_for_completion(typed_flag(context, "--server"), typed_flag(context, "--api-key"))


def names_for_completion(server: str | None = None, api_key: str | None = None) -> list[tuple[str, str]]:
    """What `complete_task_names` offers, for the server that the given flags and the environment name."""
    from scheduler_api.client.task_view import show_schedule

    return cached_names("tasks", lambda task: show_schedule(task.get("schedule")).strip("-"), server, api_key)


def cached_names(
    kind: str, hint: Callable[[dict[str, Any]], str], server: str | None, api_key: str | None
) -> list[tuple[str, str]]:
    """Names and hints of what the server has of a kind, tasks or limits; empty when it does not say."""
    from scheduler_api.client.api_client import ApiClient
    from scheduler_api.client.client_error import ClientError
    from scheduler_api.client.server_access import find_server_access

    try:
        access = find_server_access(server, api_key)
        cache = _cache_path(kind, access.server, access.api_key)
        if (known := _read(cache)) is not None:
            return known
        with ApiClient(access.server, access.api_key, timeout_seconds=_ANSWER_SECONDS_MAX) as api:
            items = api.get(kind, limit=_NAMES_MAX)["items"]
        names = [(str(item["name"]), hint(item)) for item in items]
        _write(cache, names)
    except (ClientError, OSError, KeyError, TypeError, ValueError):
        return []
    return names


def typed_flag(context: Any, flag: str) -> str | None:
    """The text that has been typed after a flag so far."""
    argument = context.get(flag) if context is not None else None
    value = getattr(argument, "value", None)
    return value if isinstance(value, str) else None


def _cache_path(kind: str, server: str, api_key: str | None) -> Path:
    import hashlib

    # The key is part of the name, so that nobody is offered what only another key may see.
    name = hashlib.sha256(f"{server}\n{api_key}".encode()).hexdigest()[:16]
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "scheduler" / f"{kind[:-1]}-names-{name}.json"


def _read(path: Path) -> list[tuple[str, str]] | None:
    try:
        if not 0 <= time.time() - path.stat().st_mtime < CACHE_SECONDS:
            return None
        return [(str(name), str(hint)) for name, hint in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, names: list[tuple[str, str]]) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh.write_text(json.dumps(names), encoding="utf-8")
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
