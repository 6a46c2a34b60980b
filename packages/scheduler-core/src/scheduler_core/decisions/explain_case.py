"""What an explanation of a run is made from."""

import msgspec

from scheduler_core.models.interval_wait import IntervalWait
from scheduler_core.models.situation import Claims, RunSituation, SystemFacts
from scheduler_core.models.turn import ToldTurn


class ToldWait(msgspec.Struct, frozen=True):
    """A dependency on intervals and which slots it means, in words."""

    wait: IntervalWait
    words: str


class RunCase(msgspec.Struct, frozen=True, kw_only=True):
    """A run's situation and that of the system around it. `queue_error` is what is wrong with the message queue.

    `turn` is that of a gated run that waits.
    """

    run: RunSituation
    system: SystemFacts
    claims: Claims
    waits: tuple[ToldWait, ...] = ()
    turn: ToldTurn | None = None
    queue_error: str | None = None
