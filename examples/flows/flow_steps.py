"""The jobs of the flow examples. Each takes JSON and returns JSON, so that the next one can be given its result."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path


def measure(directory: str, hour: str) -> dict[str, float | str]:
    """Write the reading of one hour; the same hour always gives the same one."""
    reading = round(random.Random(hour).uniform(5.0, 25.0), 1)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".{hour.replace(':', '')}"
    unfinished.write_text(json.dumps({"hour": hour, "celsius": reading}))
    unfinished.rename(folder / f"{hour.replace(':', '')}.json")
    return {"hour": hour, "celsius": reading}


def report(directory: str, start: str, end: str) -> dict[str, float | int | str]:
    """Sum up the readings of the hours from `start` until before `end`; instants in UTC, as templates write them."""
    readings = [json.loads(file.read_text()) for file in sorted(Path(directory).glob("[0-9]*.json"))]
    day = [reading["celsius"] for reading in readings if start <= reading["hour"] < end]
    print(f"{start} to {end}: {len(day)} hours, {min(day)} to {max(day)} °C")
    return {"start": start, "hours": len(day), "lowest": min(day), "highest": max(day)}


def split(text: str, parts: int) -> list[str]:
    """Cut a text into at most so many parts, between words."""
    words = text.split()
    size = max(1, -(-len(words) // parts))
    return [" ".join(words[start : start + size]) for start in range(0, len(words), size)]


def count_words(text: str) -> dict[str, int]:
    """How often each word occurs."""
    return dict(Counter(text.lower().split()))


def add_up(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    """The sum of all counts, most frequent word first."""
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    for word, number in total.most_common(3):
        print(f"{number:4} {word}")
    return dict(total.most_common())


def receive(orders: Sequence[dict[str, float | str]]) -> Sequence[dict[str, float | str]]:
    """Hand the orders on."""
    print(f"{len(orders)} orders received")
    return orders


def import_orders(orders: Sequence[dict[str, float | str]]) -> dict[str, float | int]:
    """Refuse a batch with an order that has no amount."""
    broken = [order.get("id") for order in orders if not isinstance(order.get("amount"), int | float)]
    if broken:
        raise ValueError(f"orders without an amount: {broken}")
    amounts = [float(order["amount"]) for order in orders]
    return {"orders": len(orders), "total": sum(amounts)}


def import_valid_orders(orders: Sequence[dict[str, float | str]]) -> dict[str, float | int]:
    """Take what can be taken of a batch, and say how many orders are left."""
    valid = [order for order in orders if isinstance(order.get("amount"), int | float)]
    return {**import_orders(valid), "left": len(orders) - len(valid)}


def publish(imported: dict[str, float | int]) -> str:
    """Say what has been imported."""
    line = f"{imported['orders']} orders, {imported['total']:.2f} in all"
    print(line)
    return line
