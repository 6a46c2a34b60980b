"""What a definition says about who runs its runs, how many at once and whose turn it is, judged by itself."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from scheduler_core.decisions.expression_text import expression_text_problem
from scheduler_core.decisions.label_rules import label_problem
from scheduler_core.decisions.limit_check import limit_name_problem
from scheduler_core.decisions.unique_check import check_unique
from scheduler_core.errors import Problem
from scheduler_core.models import FLOW_TASK_TYPE, SHARED_STRATEGY, DispatchOptions, TaskDefinition

TAGS_MAX = 20
LIMITS_MAX = 20
RESOURCES_MAX = 20
RESOURCE_AMOUNT_MAX = 1e18
WEIGHT_MIN = 0.001
WEIGHT_MAX = 1_000_000.0
MAX_LOSSES_MAX = 100
KEEP_SECONDS_MAX = 36_525 * 86_400.0
KEEP_RUNS_MAX = 2**31 - 1

_RESOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
_TAG_FIELDS = ("required_tags", "preferred_tags", "forbidden_tags")
_PLACING = ("strategy", *_TAG_FIELDS, "resources", "hash_key")
_OF_RUNNING = (*_PLACING, "limits", "fairness_key", "fairness_weight", "background", "max_losses")


def check_dispatch_options(definition: TaskDefinition) -> Iterator[Problem]:
    """Everything that is wrong with strategy, tags, resources, limits, fairness, uniqueness and retention.

    Expressions are judged by templates, too; whether a limit exists is for who has the store.
    """
    options = definition.dispatch_options()
    yield from _check_place(options)
    yield from _check_names("limits", options.limits, LIMITS_MAX)
    yield from _check_resources(options)
    yield from _check_expressions(options)
    yield from _check_weight(options)
    yield from _check_numbers(options)
    if options.unique is not None:
        yield from check_unique(options.unique)
    yield from _check_senseless(definition, options)


def _check_place(options: DispatchOptions) -> Iterator[Problem]:
    if options.strategy is not None and (problem := label_problem("strategy", options.strategy)) is not None:
        yield Problem("strategy", problem)
    for field in _TAG_FIELDS:
        yield from _check_names(field, getattr(options, field), TAGS_MAX)
    forbidden = set(options.forbidden_tags)
    for field in ("required_tags", "preferred_tags"):
        for tag in sorted(forbidden.intersection(getattr(options, field))):
            yield Problem(
                "forbidden_tags",
                f"The tag '{tag[:50]}' is in {field}, too: no worker has it and has it not. Remove it from one.",
            )
    if options.hash_key is not None and options.strategy == SHARED_STRATEGY:
        yield Problem(
            "hash_key",
            "hash_key chooses the worker by its value, and the strategy shared chooses nobody. Set strategy to "
            "consistent_hash, or leave hash_key out.",
        )


def _check_names(field: str, names: Sequence[str], most: int) -> Iterator[Problem]:
    if len(names) > most:
        yield Problem(field, f"{len(names)} are named in {field}; at most {most} are allowed in one task.")
        return
    for name in names:
        problem = limit_name_problem(name) if field == "limits" else label_problem("tag", name)
        if problem is not None:
            yield Problem(field, problem)
    for name in sorted(name for name, count in Counter(names).items() if count > 1):
        yield Problem(field, f"'{name[:50]}' is named more than once in {field}. Name it once.")


def _check_resources(options: DispatchOptions) -> Iterator[Problem]:
    if len(options.resources) > RESOURCES_MAX:
        yield Problem(
            "resources", f"{len(options.resources)} resources are named; at most {RESOURCES_MAX} are allowed."
        )
        return
    for name, amount in options.resources.items():
        if not _RESOURCE_NAME.fullmatch(name):
            yield Problem(
                "resources",
                f"The resource {name[:50]!a} is not valid: use 1 to 50 of a-z, 0-9 and '_', beginning with a letter, "
                "such as cpu, memory, disk or gpu.",
            )
        elif not 0 < amount <= RESOURCE_AMOUNT_MAX:  # false for NaN, too
            yield Problem(
                f"resources.{name}",
                f"{name} is an amount above 0 and at most {RESOURCE_AMOUNT_MAX:g}, not {amount:g}. Leave it out if the "
                "task needs none.",
            )


def _check_expressions(options: DispatchOptions) -> Iterator[Problem]:
    for field in ("hash_key", "fairness_key", "fairness_weight"):
        expression = getattr(options, field)
        if isinstance(expression, str) and (problem := expression_text_problem(field, expression)) is not None:
            yield Problem(field, problem)


def _check_weight(options: DispatchOptions) -> Iterator[Problem]:
    weight = options.fairness_weight
    if not isinstance(weight, str) and not WEIGHT_MIN <= weight <= WEIGHT_MAX:  # false for NaN, too
        yield Problem("fairness_weight", f"fairness_weight is from {WEIGHT_MIN:g} to {WEIGHT_MAX:.0f}, not {weight:g}.")
    if options.fairness_key is None and weight != DispatchOptions().fairness_weight:
        yield Problem(
            "fairness_weight",
            "fairness_weight is the share of a value of fairness_key, and there is none. Give fairness_key, such as "
            "params.customer, or leave fairness_weight out.",
        )


def _check_numbers(options: DispatchOptions) -> Iterator[Problem]:
    keep = options.keep_seconds
    if keep is not None and not (math.isfinite(keep) and 1 <= keep <= KEEP_SECONDS_MAX):
        yield Problem(
            "keep",
            f"keep is a time from 1 second to {KEEP_SECONDS_MAX / 86_400:.0f} days, not {keep:g} seconds. Write it as "
            "30d or 12h; null leaves it to the dispatchers' setting.",
        )
    if options.keep_runs is not None and not 1 <= options.keep_runs <= KEEP_RUNS_MAX:
        yield Problem(
            "keep_runs",
            f"keep_runs is from 1 to {KEEP_RUNS_MAX}, not {options.keep_runs}. Null leaves it to the dispatchers' "
            "setting.",
        )
    if not 1 <= options.max_losses <= MAX_LOSSES_MAX:
        yield Problem("max_losses", f"max_losses is from 1 to {MAX_LOSSES_MAX}, not {options.max_losses}.")


def _check_senseless(definition: TaskDefinition, options: DispatchOptions) -> Iterator[Problem]:
    """What is set and would do nothing."""
    given = [field for field in _OF_RUNNING if getattr(options, field) != getattr(DispatchOptions(), field)]
    if definition.sub_flow is not None or definition.task_type == FLOW_TASK_TYPE:
        for field in given:
            yield Problem(
                field,
                f"A task with sub_flow runs nothing itself, so {field} would do nothing. Set it in the tasks of the "
                "flow that it runs.",
            )
    elif definition.broadcast:
        for field in (field for field in given if field in _PLACING):
            yield Problem(
                field,
                f"A broadcast runs on every live worker of the queue, so {field} would do nothing. Leave it out, or "
                "broadcast.",
            )
