"""Runs changes in transactions: collisions are tried again, and a change with an Idempotency-Key happens once."""

import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

import msgspec

from scheduler_api.api_error import IdempotencyKeyError
from scheduler_core.errors import (
    ConflictError,
    FlowStateError,
    IllegalTransitionError,
    LimitInUseError,
    SchedulerError,
    TaskHasDependentsError,
    TaskRunStateError,
)
from scheduler_core.interfaces import Clock, Store, UnitOfWork

ResultT = TypeVar("ResultT")

_TRIES = 5
_PAUSE_SECONDS = 0.02

# Conflicts with the state of things, which trying again does not change; all others are collisions of two changes.
_DECIDED = (FlowStateError, LimitInUseError, TaskHasDependentsError, TaskRunStateError, IllegalTransitionError)


@contextmanager
def as_collision(*kinds: type[SchedulerError]) -> Iterator[None]:
    """Errors of these kinds mean that what was read a moment ago was changed since: the change is tried again."""
    try:
        yield
    except kinds as error:
        raise ConflictError(f"{error} Somebody else changed it at the same time. Try again.") from error


class OnceKey(NamedTuple):
    """An Idempotency-Key: whose it is, its text, and a hash of the request that came with it."""

    scope: str
    key: str
    request_hash: str


class Outcome(NamedTuple, Generic[ResultT]):
    """What a change led to; `repeated` says that an earlier request with the same key made it."""

    result: ResultT
    repeated: bool


class Transactions:
    """Carries out changes, each in one transaction of its own."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, action: Callable[[UnitOfWork], Awaitable[ResultT]]) -> ResultT:
        """The result of `action`, committed. It is started anew, at most five times in all, after a collision."""
        for attempt in range(1, _TRIES + 1):
            try:
                async with self._store.transaction() as work:
                    return await action(work)
            except ConflictError as error:
                if isinstance(error, _DECIDED) or attempt == _TRIES:
                    raise
            await self._clock.sleep(_PAUSE_SECONDS * attempt * random.uniform(0.5, 1.5))
        raise AssertionError("unreachable")

    async def run_once(
        self, action: Callable[[UnitOfWork], Awaitable[ResultT]], once: OnceKey | None, kind: type[ResultT]
    ) -> Outcome[ResultT]:
        """The result of `action`, or with a key that has been used the result it had then, which is of type `kind`.

        Raises IdempotencyKeyError when the key came with another request before. A change that failed leaves its key
        free.
        """
        if once is None:
            return Outcome(await self.run(action), repeated=False)

        async def act(work: UnitOfWork) -> Outcome[ResultT]:
            stored = await work.idempotency.reserve(once.scope, once.key, once.request_hash)
            if stored is not None:
                if stored.request_hash != once.request_hash:
                    raise IdempotencyKeyError(
                        f"The Idempotency-Key '{once.key}' came with another request before. Use a new one."
                    )
                return Outcome(_decoded(stored.body, kind), repeated=True)
            result = await action(work)
            await work.idempotency.complete(once.scope, once.key, 200, msgspec.json.encode(result).decode())
            return Outcome(result, repeated=False)

        return await self.run(act)


def _decoded(body: str, kind: type[ResultT]) -> ResultT:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        raise SchedulerError("The answer kept for this Idempotency-Key was written by another version.") from error
