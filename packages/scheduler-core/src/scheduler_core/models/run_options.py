"""What a task says about the time that its runs may take, beside the time-out of one attempt."""

import msgspec


class RunOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Time-outs in seconds, None for no limit; all of them stand still while the run is paused.

    After `soft_timeout_seconds` a job is told that it is to end, after the task's `timeout_seconds` it is stopped. A
    run that has not been started `queue_timeout_seconds` after it could have been is given up; that time begins anew
    when its task is resumed. `total_timeout_seconds` are for all attempts together, with the waits between them, from
    the start of the first one.
    """

    soft_timeout_seconds: float | None = None
    queue_timeout_seconds: float | None = None
    total_timeout_seconds: float | None = None
