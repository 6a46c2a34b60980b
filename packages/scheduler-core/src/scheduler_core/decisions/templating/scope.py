"""Which names a template may use where it stands."""

from collections.abc import Mapping
from typing import NamedTuple

RUN_NAMES = ("id", "flow_id", "attempt", "task", "namespace", "scheduled_at")
INTERVAL_NAMES = ("from", "to")
SHARD_NAMES = ("index", "total")
UPSTREAM_NAMES = ("result", "results", "status", "run_id")

TOP_NAMES = ("params", "upstream", "run", "interval", "item", "shard")
ELEMENT_NAMES: Mapping[str, tuple[str, ...]] = {"run": RUN_NAMES, "interval": INTERVAL_NAMES, "shard": SHARD_NAMES}
"""The elements of those names that have always the same."""

NO_ITEM = "item is what a run of a task with map_over is for; this task has none."
NO_SHARD = "shard belongs to the runs of a task with shards, map_over or broadcast; this task has none of them."
NO_INTERVAL = "this run has no data interval: no slot of a schedule has started its flow."


class TemplateScope(NamedTuple):
    """What is known of a template's surroundings before it is rendered.

    `upstreams` None: any name may be there. `absent` says of top names, and of elements such as
    run.attempt, why they are not.
    """

    upstreams: frozenset[str] | None = None
    absent: Mapping[str, str] = {}


ANYTHING = TemplateScope()
"""The scope of a template of which nothing is known: all names may be there."""
