"""Adds up the pages of a verification: a task with a long ledger comes in several pieces."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

_NUMBERS = ("slots", "runs", "findings_count", "unverifiable")


class LedgerTotals:
    """What all pages said together."""

    def __init__(self) -> None:
        self._items: dict[int, dict[str, Any]] = {}
        self.checked_at: str | None = None
        self._end: str | None = None

    def add(self, page: Mapping[str, Any]) -> None:
        """One more page."""
        self.checked_at, self._end = page["checked_at"], page["to"]
        for item in page["items"]:
            known = self._items.get(item["task_id"])
            self._items[item["task_id"]] = dict(item) if known is None else _added(known, item)

    @property
    def items(self) -> list[dict[str, Any]]:
        """One item for each task, by id."""
        return list(self._items.values())

    @property
    def tasks(self) -> int:
        """How many tasks were verified."""
        return len(self._items)

    @property
    def slots(self) -> int:
        """How many slots are recorded."""
        return self.number("slots")

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.number("findings_count") == 0

    def number(self, name: str) -> int:
        """A number of all tasks together."""
        return sum(int(item[name]) for item in self._items.values())

    def reasons(self) -> dict[str, int]:
        """Slots without a run, by reason."""
        found: Counter[str] = Counter()
        for item in self._items.values():
            found.update(item["reasons"])
        return dict(sorted(found.items()))

    def document(self, start: str | None) -> dict[str, Any]:
        """All of it for programs."""
        return {
            "items": self.items,
            "totals": {
                "tasks": self.tasks,
                "slots": self.slots,
                "runs": self.number("runs"),
                "reasons": self.reasons(),
                "findings": self.number("findings_count"),
                "unverifiable": self.number("unverifiable"),
                "behind": sum(1 for item in self.items if item["behind_since"]),
                "clean": self.is_clean,
            },
            "from": start,
            "to": self._end,
            "checked_at": self.checked_at,
        }


def _added(known: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **item,
        **{name: known[name] + item[name] for name in _NUMBERS},
        "reasons": dict(Counter(known["reasons"]) + Counter(item["reasons"])),
        "findings": [*known["findings"], *item["findings"]],
        "behind_since": known["behind_since"] or item["behind_since"],
    }
