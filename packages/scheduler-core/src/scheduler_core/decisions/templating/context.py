"""What the templates of one run may know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec


class TemplateContext(msgspec.Struct, frozen=True, kw_only=True):
    """What the templates of one run may know.

    `upstream` maps the names of tasks to result, results (groups only), status and run_id. `run` holds id, flow_id,
    attempt, task, namespace and scheduled_at, `interval` from and to, `shard` index and total. `item` is there for the
    runs of a map only.
    """

    params: Mapping[str, Any]
    upstream: Mapping[str, Mapping[str, Any]]
    run: Mapping[str, Any]
    interval: Mapping[str, datetime] | None = None
    item: Any = msgspec.UNSET
    shard: Mapping[str, int] | None = None
