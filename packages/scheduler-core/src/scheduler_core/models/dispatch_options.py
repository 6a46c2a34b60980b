"""What a task says about how its runs are dispatched: to whom, how many at once, whose turn, and for how long kept."""

import msgspec

from scheduler_core.models.task_run import TaskRunStatus

SHARED_STRATEGY = "shared"
"""The strategy that chooses nobody: whichever worker has a free place first takes the run."""

DEFAULT_MAX_LOSSES = 5
UNFINISHED = (TaskRunStatus.PENDING, TaskRunStatus.DISPATCHED, TaskRunStatus.RUNNING)


class UniquePolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """When a trigger gives back a run that is there already instead of making one.

    `key` is an expression over the run's parameters, task and namespace (None: all runs of the task are alike). A run
    of the same key counts while it is in one of `states` and, with `window_seconds`, was made within them.
    With `debounce_seconds` a trigger puts off the start of a run that waits by so much, counted from now, and gives it
    its own parameters; at most `debounce_max_seconds` after the first trigger (None: no end).
    With `throttle_seconds` at most one run of a key is made within them, in whatever state it is.
    """

    key: str | None = None
    states: tuple[TaskRunStatus, ...] = UNFINISHED
    window_seconds: float | None = None
    debounce_seconds: float | None = None
    debounce_max_seconds: float | None = None
    throttle_seconds: float | None = None


class DispatchOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the runs of a task are dispatched.

    `strategy` names who chooses the worker (None: the dispatchers' own setting). A worker must have all of
    `required_tags` and none of `forbidden_tags`; of those left, the ones with most of `preferred_tags` come first.
    `resources` are amounts that a run takes from what its worker has: cpu in cores, memory and disk in bytes, and any
    other by its name. `hash_key` is an expression whose value chooses the worker under `consistent_hash`.
    `limits` are names of limits of the same namespace. `fairness_key` is an expression; places go to its values in
    turn, each by its `fairness_weight`, a number or an expression. `background` runs come after all others, but for
    their guaranteed share. Finished runs are kept for `keep_seconds`, and at most the last `keep_runs` of them (None:
    as the dispatchers are set). A run that has lost its worker `max_losses` times is QUARANTINED.
    """

    strategy: str | None = None
    required_tags: tuple[str, ...] = ()
    preferred_tags: tuple[str, ...] = ()
    forbidden_tags: tuple[str, ...] = ()
    resources: dict[str, float] = {}
    hash_key: str | None = None
    limits: tuple[str, ...] = ()
    fairness_key: str | None = None
    fairness_weight: float | str = 1.0
    background: bool = False
    unique: UniquePolicy | None = None
    keep_seconds: float | None = None
    keep_runs: int | None = None
    max_losses: int = DEFAULT_MAX_LOSSES

    @property
    def is_placed(self) -> bool:
        """Whether a dispatcher chooses the worker, as far as the task says."""
        return bool(
            self.strategy not in (None, SHARED_STRATEGY)
            or self.required_tags
            or self.preferred_tags
            or self.forbidden_tags
            or self.resources
            or self.hash_key is not None
        )

    @property
    def is_gated(self) -> bool:
        """Whether its runs become claimable a few at a time: they are limited, take turns or are given to a worker."""
        return self.is_placed or bool(self.limits) or self.fairness_key is not None or self.background
