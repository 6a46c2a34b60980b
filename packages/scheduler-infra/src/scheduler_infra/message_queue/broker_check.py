"""Asking a broker whether it can be used, in a thread, once for all who ask at the same time."""

import asyncio
import contextlib
import threading
from collections.abc import Callable


class BrokerCheck:
    """Runs a blocking check in a thread of its own.

    Whoever asks while a check is under way waits for that one: a probe that comes every second does not pile up
    threads before a broker that is frozen, and no other work waits for a place in a pool.
    """

    def __init__(self, check: Callable[[], None], name: str) -> None:
        self._check = check
        self._name = name
        self._running: asyncio.Future[None] | None = None

    async def ask(self) -> None:
        """Return when the check has returned; raise what it has raised. Giving up ends the waiting only."""
        if self._running is None or self._running.done():
            self._running = self._start()
        await asyncio.shield(self._running)

    def _start(self) -> "asyncio.Future[None]":
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        # Its error counts as seen even when everybody has given up.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())

        def run() -> None:
            error: Exception | None = None
            try:
                self._check()
            except Exception as caught:
                error = caught
            with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(_settle, answer, error)

        # A daemon: a process that has to leave now is not kept by a broker that does not answer.
        threading.Thread(target=run, name=self._name, daemon=True).start()
        return answer


def _settle(answer: "asyncio.Future[None]", error: Exception | None) -> None:
    if answer.done():
        return
    if error is None:
        answer.set_result(None)
    else:
        answer.set_exception(error)
