"""Triggers of tasks with unique runs: a run that is there already is the answer instead of a new one."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from scheduler_core.decisions.stream_keys import KeyExpressionError, evaluate_key
from scheduler_core.decisions.templates import TemplateContext
from scheduler_core.decisions.unique_rules import UniqueVerdict, unique_verdict
from scheduler_core.errors import InvalidInputError
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.interfaces.unique_run_repository import UniqueRun
from scheduler_core.models import FlowPlan, Task, TaskRun, TaskRunStatus, UniquePolicy

_REMEDY: Final = "Give other parameters, or correct the expression with `scheduler task update`."


class UniqueTrigger:
    """One trigger of one key. From `standing_run` to the commit no other trigger of that key gets ahead.

    The task is locked, `parameters` are the run's own as JSON text.
    """

    def __init__(self, work: UnitOfWork, task: Task, policy: UniquePolicy, key: str, parameters: str | None) -> None:
        self._work = work
        self._task = task
        self._policy = policy
        self._key = key
        self._parameters = parameters

    async def standing_run(self) -> TaskRun | None:
        """The run that answers the trigger, put off where the task says so; None: a new one is to be made."""
        found = await self._work.unique_runs.lock(self._task.id, [self._key])
        latest = found[self._key]
        verdict = unique_verdict(self._policy, latest)
        if verdict is UniqueVerdict.PUT_OFF and latest is not None and not await self._put_off(latest):
            verdict = unique_verdict(self._policy, latest, may_put_off=False)
        if verdict is UniqueVerdict.MAKE or latest is None:
            return None
        return await self._work.task_runs.get(latest.run_id)

    def plan(self, plan: FlowPlan) -> FlowPlan:
        """A plan whose first run is not claimable before it has been put off."""
        if self._policy.debounce_seconds is None:
            return plan
        first = msgspec.structs.replace(plan.members[0], status=TaskRunStatus.PENDING)
        return msgspec.structs.replace(plan, members=(first, *plan.members[1:]))

    async def take(self, run_id: int) -> None:
        """The key stands for this new run, which with a debounce starts when that is over."""
        await self._work.unique_runs.take(self._task.id, self._key, run_id)
        if self._policy.debounce_seconds is not None:
            seconds = self._policy.debounce_seconds
            await self._work.unique_runs.put_off(run_id, seconds, None, self._parameters, is_new=True)

    async def _put_off(self, latest: UniqueRun) -> bool:
        seconds = self._policy.debounce_seconds or 0.0
        return await self._work.unique_runs.put_off(latest.run_id, seconds, self._last_start(latest), self._parameters)

    def _last_start(self, latest: UniqueRun) -> datetime | None:
        longest = self._policy.debounce_max_seconds
        return None if longest is None else latest.created_at + timedelta(seconds=longest)


async def unique_key(task: Task, policy: UniquePolicy, parameters: Mapping[str, Any]) -> str:
    """The value of the task's unique key for a run with these parameters; raises InvalidInputError."""
    if policy.key is None:
        return ""
    context = TemplateContext(
        params={**task.parameters, **parameters},
        upstream={},
        run={"task": task.name, "namespace": task.namespace},
    )
    try:
        # In a thread: an expression may take up to a second, and others ask for other things.
        return await asyncio.to_thread(evaluate_key, "The expression", policy.key, context)
    except KeyExpressionError as error:
        raise InvalidInputError.of("unique.key", f"{error} {_REMEDY}") from error
