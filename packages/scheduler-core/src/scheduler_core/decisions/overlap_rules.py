"""What a due slot does while earlier runs of its task have not ended."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from scheduler_core.models import OverlapPolicy

QUEUED_RUNS_MAX: Final = 100
"""How many runs of a task wait in its queue at most: each waits for all before it, so the work grows with the square,
and a task that is a hundred slots behind one stuck run is not helped by the next hundred."""


class OverlapVerdict(NamedTuple):
    """Whether the slot gets a run; for which runs that waits, however they end; and which of them are cancelled."""

    is_run: bool = True
    after_runs: tuple[int, ...] = ()
    cancels: tuple[int, ...] = ()


def overlap_verdict(policy: OverlapPolicy, active: Sequence[int]) -> OverlapVerdict:
    """Judge a slot whose task has these active runs; behind one that runs, QUEUED_RUNS_MAX others may wait.

    >>> overlap_verdict(OverlapPolicy.SKIP, [7])
    OverlapVerdict(is_run=False, after_runs=(), cancels=())
    >>> overlap_verdict(OverlapPolicy.QUEUE, [7, 8])
    OverlapVerdict(is_run=True, after_runs=(7, 8), cancels=())
    >>> overlap_verdict(OverlapPolicy.CANCEL_PREVIOUS, [7])
    OverlapVerdict(is_run=True, after_runs=(7,), cancels=(7,))
    """
    if not active or policy is OverlapPolicy.ALLOW:
        return OverlapVerdict()
    if policy is OverlapPolicy.SKIP or (policy is OverlapPolicy.QUEUE and len(active) > QUEUED_RUNS_MAX):
        return OverlapVerdict(is_run=False)
    waited_for = tuple(active)
    return OverlapVerdict(after_runs=waited_for, cancels=waited_for if policy is OverlapPolicy.CANCEL_PREVIOUS else ())


def slots_at_once_max(policy: OverlapPolicy) -> int | None:
    """How many slots of a schedule may be given runs at once: one, where its run counts for the next; None: any."""
    return None if policy is OverlapPolicy.ALLOW else 1
