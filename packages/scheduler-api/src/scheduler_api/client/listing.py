"""Lists: one page or all of them, and the sentence that says how to get the rest."""

from typing import Any

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import Session

PAGE_ITEMS_MAX = 200


def fetch_list(session: Session, *path: str | int, limit: int, every: bool, **query: Any) -> dict[str, Any]:
    """A page of up to `limit` items as the API gives it, or with `every` all items and no cursor.

    What stands beside the items is that of the last page.
    """
    if limit < 1:
        raise UsageError(f"--limit must be at least 1, not {limit}.")
    items: list[Any] = []
    cursor: str | None = None
    beside: dict[str, Any] = {}
    for page in session.api.pages(*path, limit=PAGE_ITEMS_MAX if every else min(limit, PAGE_ITEMS_MAX), **query):
        items.extend(page["items"])
        cursor = page.get("next_cursor")
        beside = page
        if not every and len(items) >= limit:
            break
    return {**beside, "items": items[:limit] if not every else items, "next_cursor": cursor}


def note_rest(session: Session, page: dict[str, Any]) -> None:
    """Say on stderr that there is more, when there is."""
    if page.get("next_cursor") is not None:
        session.output.note("There are more: see all with --all, or more with --limit.")
