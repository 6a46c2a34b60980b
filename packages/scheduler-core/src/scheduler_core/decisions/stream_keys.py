"""Into which stream a gated run belongs: its key expressions are evaluated."""

import math
import re
from typing import Any, Final

import msgspec

from scheduler_core.decisions.templates import TemplateContext, evaluate
from scheduler_core.errors import SchedulerError, TemplateError
from scheduler_core.models import SHARED_STRATEGY
from scheduler_core.models.dispatch import GatedRun, KeyedRun, StreamKey

KEY_LENGTH_MAX: Final = 200
_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_encode = msgspec.json.Encoder(order="deterministic").encode


class KeyExpressionError(SchedulerError):
    """A key expression has no value that can be used; the message names field, expression and reason."""


def key_text(value: Any) -> str:
    """A key expression's value as text; raises ValueError for one that is too long.

    >>> key_text("a"), key_text(7), key_text(None), key_text({"b": 1, "a": [2]})
    ('a', '7', '', '{"a":[2],"b":1}')
    """
    text = "" if value is None else value if isinstance(value, str) else _encode(value).decode()
    if len(text) > KEY_LENGTH_MAX or "\0" in text:
        raise ValueError(f"its value has {len(text)} characters; a key has at most {KEY_LENGTH_MAX} and no NUL.")
    return text


def evaluate_key(field: str, expression: str, context: TemplateContext) -> str:
    """The value of a key expression as text; raises KeyExpressionError."""
    try:
        return key_text(evaluate(expression, context))
    except (SchedulerError, ValueError, TypeError) as error:
        raise KeyExpressionError(f"{field} '{expression[:200]}' cannot be evaluated: {_reason(error)}") from error


def keyed(run: GatedRun) -> KeyedRun:
    """The stream of a run, or why it has none. Never raises: one run must not end who sorts all."""
    try:
        stream = _stream(run)
    except KeyExpressionError as error:
        return KeyedRun(run_id=run.id, error=f"Not run: {error}")
    except Exception as error:  # what an expression makes of a run's parameters may be anything
        return KeyedRun(run_id=run.id, error=f"Not run: its keys cannot be evaluated: {type(error).__name__}: {error}")
    return KeyedRun(run_id=run.id, version_id=run.task_version_id if _is_of_all(run) else None, stream=stream)


def _is_of_all(run: GatedRun) -> bool:
    """Whether every live run of its version is of the same stream: nothing is evaluated, nothing is the run's own."""
    options = run.options
    return not (
        run.is_background
        or run.queue.startswith("@")
        or options.limits
        or options.fairness_key is not None
        or isinstance(options.fairness_weight, str)
        or options.hash_key is not None
    )


def _stream(run: GatedRun) -> StreamKey:
    options = run.options
    context = _context(run)
    # A queue that is one worker's own has chosen already.
    is_addressed = run.queue.startswith("@")
    is_chosen = not is_addressed and options.strategy != SHARED_STRATEGY
    return StreamKey(
        queue=run.queue,
        task_type=run.task_type,
        background=run.is_background or options.background,
        fairness_key=(
            None if options.fairness_key is None else evaluate_key("fairness_key", options.fairness_key, context)
        ),
        weight=_weight(options.fairness_weight, context),
        limits=tuple(
            (limit_id, "" if key is None else evaluate_key(f"The key of limit '{name}':", key, context))
            for limit_id, name, key in zip(run.limit_ids, run.limit_names, run.limit_keys, strict=True)
        ),
        strategy=None if is_addressed else options.strategy,
        required_tags=() if is_addressed else tuple(sorted(options.required_tags)),
        preferred_tags=() if is_addressed else tuple(sorted(options.preferred_tags)),
        forbidden_tags=() if is_addressed else tuple(sorted(options.forbidden_tags)),
        resources=() if is_addressed else tuple(sorted(options.resources.items())),
        hash_value=(
            evaluate_key("hash_key", options.hash_key, context) if options.hash_key is not None and is_chosen else None
        ),
    )


def _weight(weight: float | str, context: TemplateContext) -> float:
    if not isinstance(weight, str):
        return float(weight)
    try:
        value = _number(evaluate(weight, context))
    except (SchedulerError, ValueError, TypeError, OverflowError) as error:
        raise KeyExpressionError(f"fairness_weight '{weight[:200]}' cannot be evaluated: {_reason(error)}") from error
    if not (math.isfinite(value) and 0.001 <= value <= 1_000_000):
        raise KeyExpressionError(
            f"fairness_weight '{weight[:200]}' is {value:g}: a weight is from 0.001 to 1000000. Correct the expression "
            "or the run's parameters."
        )
    return value


def _reason(error: Exception) -> str:
    """Why, without the expression, which is told already."""
    return error.reason if isinstance(error, TemplateError) else str(error)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{repr(value)[:50]} is no number.")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError(f"'{value[:50]}' is no number.")
    return float(value)


def _context(run: GatedRun) -> TemplateContext:
    return TemplateContext(
        params=run.parameters,
        upstream={},
        run={
            "id": run.id,
            "flow_id": run.flow_id,
            "attempt": run.attempt,
            "task": run.task_name,
            "namespace": run.namespace,
            "scheduled_at": run.scheduled_at,
        },
        item=run.item if run.has_item else msgspec.UNSET,
        shard=None if run.shard_index is None else {"index": run.shard_index, "total": run.shard_total or 0},
    )
