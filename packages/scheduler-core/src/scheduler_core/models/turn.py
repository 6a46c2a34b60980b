"""What a gated run waits for between being due and being claimable: its keys, a worker, permits, its turn."""

from datetime import datetime

import msgspec

from scheduler_core.models.dispatch import StreamClass, StreamKey, WorkerView
from scheduler_core.models.limit import LimitKeyState


class Holder(msgspec.Struct, frozen=True):
    """A run that holds a permit."""

    run_id: int
    task_name: str


class LimitStanding(msgspec.Struct, frozen=True, kw_only=True):
    """A limit's key as a run meets it: `state.claimable` are the claimable runs of the key that come before it.

    `key` is None for a limit without one. `holders` are the first of the runs that hold a permit.
    """

    limit: str
    namespace: str
    key: str | None
    state: LimitKeyState
    holders: tuple[Holder, ...] = ()


class TurnSituation(msgspec.Struct, frozen=True, kw_only=True):
    """A gated run that waits, with what its turn depends on.

    `ahead` waiting runs of its own stream come before it. `limits` are in ascending order of id; before a run is sorted
    only those without a key are known. `limit_names` are all that its task names.
    """

    run_id: int
    stream_id: int | None = None
    stream: StreamKey | None = None
    ahead: int = 0
    limits: tuple[LimitStanding, ...] = ()
    limit_names: tuple[str, ...] = ()


class LimitTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A limit's key, and how many runs that have not started get its permits before a run.

    As far as its rate goes the next run may start at `next_at`, and the run itself at `own_at`; None: now.
    """

    standing: LimitStanding
    before: int = 0
    next_at: datetime | None = None
    own_at: datetime | None = None


class TurnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides whether a gated run becomes claimable now. The defaults stand in nobody's way.

    Where a worker is chosen (`is_placed`): `tagged` workers take the run as far as queue, type and tags go, `fitting`
    of them have left what it requests, and `free` are the places of these that nothing is given to. `room` more runs of
    its lane and class may become claimable, and `before` come before it; None: it has no place in a window. `is_far`:
    it is claimable, after all others. `waits_long`: so long that a dispatcher must have looked at it more than once.
    With `session_id` it is about to be given to that session.
    """

    is_sorted: bool = True
    is_placed: bool = False
    knows_strategy: bool = True
    tagged: int = 1
    fitting: int = 1
    free: int = 1
    stream_class: StreamClass = StreamClass.PLAIN
    room: int | None = None
    before: int = 0
    is_far: bool = False
    waits_long: bool = False
    limits: tuple[LimitTurn, ...] = ()
    session_id: int | None = None


class ToldTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A gated run's turn with the names and numbers that it is told with.

    `strategy` names who chooses its worker, None: nobody does. `claim_at` is the place in the order of claims that it
    will have, None where that is the one it has. `others` are other fairness keys with waiting runs, `workers` those
    of its queue and type.
    """

    facts: TurnFacts
    key: StreamKey
    situation: TurnSituation
    strategy: str | None = None
    claim_at: datetime | None = None
    others: int = 0
    workers: tuple[WorkerView, ...] = ()
