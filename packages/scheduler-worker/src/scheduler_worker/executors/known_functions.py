"""What is known of the functions that runs have named."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from scheduler_core.interfaces import RunOutput
from scheduler_worker.executors.callable_loader import add_to_path, load_callable
from scheduler_worker.executors.python_children import PythonChildren
from scheduler_worker.executors.python_protocol import Answer
from scheduler_worker.own_thread import in_own_thread


class KnownFunctions:
    """Says of each function whether it is async, and has those that are called in the worker itself.

    A child process imports a function first: modules that crash, hang or hold the interpreter while they are imported
    never touch the worker.
    """

    def __init__(self, children: PythonChildren, python_path: Sequence[str], allowed: Sequence[str]) -> None:
        self._children = children
        self._python_path = python_path
        self._allowed = allowed
        self._are_async: dict[str, bool] = {}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._looking: dict[str, asyncio.Lock] = {}

    def is_async(self, target: str) -> bool | None:
        """Whether it is async; None for one that nobody has looked at."""
        return self._are_async.get(target)

    def imported(self, target: str) -> Callable[..., Any] | None:
        """The function itself, if `here` has imported it before."""
        return self._functions.get(target)

    async def look_at(self, target: str, output: RunOutput) -> Answer:
        """Whether it is async, or why it cannot be called; a child is asked once. Raises ChildDiedError, OSError."""
        if target not in self._are_async:
            async with self._looking.setdefault(target, asyncio.Lock()):
                if target not in self._are_async:
                    answer = await self._children.look_at(target, output)
                    if answer.error is not None:
                        return answer
                    self._are_async[target] = answer.is_async
            self._looking.pop(target, None)
        return Answer(is_async=self._are_async[target])

    async def here(self, target: str) -> Callable[..., Any]:
        """The function itself, imported into the worker; to be looked at before. Raises CallableError."""
        function = self._functions.get(target)
        if function is None:
            # In a thread: an import may take its time.
            function = self._functions[target] = await in_own_thread(lambda: self._load(target))
        return function

    def _load(self, target: str) -> Callable[..., Any]:
        add_to_path(self._python_path)
        return load_callable(target, self._allowed)
