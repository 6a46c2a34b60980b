"""The renewal of the lease, on a thread of its own."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence

from scheduler_core.errors import RepositoryError, StoreUnavailableError
from scheduler_core.interfaces import Clock, Store
from scheduler_core.models import HeldRun
from scheduler_worker.backoff import Backoff
from scheduler_worker.lease import Lease
from scheduler_worker.own_thread import in_own_thread

logger = logging.getLogger("scheduler.worker")

_SPACING_SECONDS = 0.3
"""However often it is nudged: renewals are at least this far apart."""

_LEAVE_SECONDS = 5.0


class HeartbeatService:
    """Renews one session's lease until it is stopped or the lease is lost.

    It has a thread, an event loop and a connection of its own: a coroutine that blocks the worker's loop does not
    delay it. When trust in the lease ends it calls `kill_now` itself, in its thread, after `on_lost`, which like
    `on_renewed(rows, requested_at)` and `on_failed` is called in the loop that started the service. `load`, what to
    tell of the host at each renewal, is called in the thread, too.
    """

    def __init__(
        self,
        open_store: Callable[[], Awaitable[Store]],
        session_id: int,
        lease: Lease,
        clock: Clock,
        *,
        interval_seconds: float,
        on_renewed: Callable[[Sequence[HeldRun], float], None],
        on_lost: Callable[[str], None],
        on_failed: Callable[[str], None],
        kill_now: Callable[[], None],
        load: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self._open_store = open_store
        self._session_id = session_id
        self._lease = lease
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._on_renewed = on_renewed
        self._on_lost = on_lost
        self._on_failed = on_failed
        self._kill_now = kill_now
        self._load = load
        self._has_answered = True
        self._is_draining = False
        self._places: int | None = None
        self._is_stopped = False
        self._home: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.Event | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to renew; the first renewal is sent at once."""
        self._home = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name=f"heartbeat-{self._session_id}", daemon=True)
        self._thread.start()

    def nudge(self, *, draining: bool = False, places: int | None = None) -> None:
        """Renew soon instead of at the next interval; `draining` tells others to ring this session no more.

        `places` is how many the session has from now on.
        """
        self._is_draining = self._is_draining or draining
        self._places = self._places if places is None else places
        self._set(self._wake)

    def answers(self) -> bool:
        """Whether its thread, where it runs, has answered since this was last asked; asks it again."""
        answered, loop = self._has_answered, self._loop
        if loop is None:
            return True
        if answered:
            self._has_answered = False
            with contextlib.suppress(RuntimeError):  # the thread has just ended
                loop.call_soon_threadsafe(self._answer)
        return answered

    def _answer(self) -> None:
        self._has_answered = True

    async def stop(self) -> None:
        """End the thread and give back its connection."""
        self._is_stopped = True
        self._set(self._stop)
        if self._thread is not None:
            await in_own_thread(self._thread.join)
            self._thread = None

    def _set(self, event: asyncio.Event | None) -> None:
        loop = self._loop
        if loop is not None and event is not None:
            with contextlib.suppress(RuntimeError):  # the thread has just ended
                loop.call_soon_threadsafe(event.set)

    def _work(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            logger.exception("heartbeat failed")
            self._lose(f"its heartbeat failed: {error}", failed=True)

    async def _serve(self) -> None:
        self._wake, self._stop = wake, stop = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        # A renewal that hangs must not keep anybody from seeing that trust has ended, so two tasks do this.
        tasks = {
            asyncio.create_task(self._renew_until_lost(wake)),
            asyncio.create_task(self._watch()),
            asyncio.create_task(stop.wait()),
        }
        try:
            if not self._is_stopped:  # it may have been, before there was an event to set
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            self._loop = None
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_LEAVE_SECONDS)

    async def _watch(self) -> None:
        while left := self._lease.seconds_left(self._clock.monotonic()):
            await self._clock.sleep(left)
        self._lose("its lease could not be renewed in time")

    async def _renew_until_lost(self, wake: asyncio.Event) -> None:
        backoff = Backoff(0.2, longest=2.0)
        async with contextlib.AsyncExitStack() as stack:
            store: Store | None = None
            while not self._lease.is_lost:
                wake.clear()
                requested_at = self._clock.monotonic()
                try:
                    if store is None:
                        store = await self._open_store()
                        stack.push_async_callback(store.close)
                    async with store.autocommit() as work:
                        rows = await work.worker_sessions.renew(
                            self._session_id,
                            self._is_draining,
                            places=self._places,
                            load=None if self._load is None else self._load(),
                        )
                except RepositoryError as error:
                    # Anything but a plain outage is told in full, but only the end of trust ends the session.
                    is_outage = isinstance(error, StoreUnavailableError)
                    logger.warning("renewal failed", extra={"reason": str(error)}, exc_info=not is_outage)
                    await self._clock.sleep(backoff.next_seconds())
                    continue
                backoff.reset()
                if rows is None:
                    self._lose("the database says that it is not alive")
                    return
                self._lease.renewed(requested_at)
                self._tell(self._on_renewed, rows, requested_at)
                await self._clock.sleep(min(_SPACING_SECONDS, self._interval_seconds))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_seconds - (self._clock.monotonic() - requested_at)):
                        await wake.wait()

    def _lose(self, reason: str, *, failed: bool = False) -> None:
        if self._is_stopped or self._lease.is_lost:
            return
        self._lease.lose()
        # First the news, then the killing: nobody may take a killed job for one that failed by itself.
        self._tell(self._on_failed if failed else self._on_lost, reason)
        self._kill_now()

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        if self._home is not None and not self._home.is_closed():
            with contextlib.suppress(RuntimeError):  # closed in this moment
                self._home.call_soon_threadsafe(call, *arguments)
