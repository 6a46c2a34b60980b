"""One session from its beginning to its end: claims, runs, and what the database says of them."""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from scheduler_core.errors import ConflictError, SchemaVersionError, SessionFencedError, StoreUnavailableError
from scheduler_core.interfaces import Bell, Clock, MessageQueue, Store
from scheduler_core.models import DISPATCHERS, ClaimedRun, HeldRun, Lane, TaskVersion, session_address
from scheduler_worker.backoff import Backoff
from scheduler_worker.cancel_watch import CancelWatch
from scheduler_worker.heartbeat_service import HeartbeatService
from scheduler_worker.lease import Lease
from scheduler_worker.live_run import LiveRun, StopReason
from scheduler_worker.live_runs import LiveRuns
from scheduler_worker.log_buffer import LogBuffer
from scheduler_worker.next_claim import NextClaim
from scheduler_worker.report_buffer import ReportBuffer
from scheduler_worker.returned_runs import ReturnedRuns, ring_for_returned
from scheduler_worker.run_needs import RunNeeds
from scheduler_worker.run_pauses import RunPauses
from scheduler_worker.stopped_outcome import stopped_outcome
from scheduler_worker.task_runner import TaskRunner
from scheduler_worker.version_cache import VersionCache
from scheduler_worker.worker_config import WorkerConfig
from scheduler_worker.worker_error import LeaseEndedError
from scheduler_worker.worker_metrics import count_claimed, count_lost_session

logger = logging.getLogger("scheduler.worker")

_SWEEP_SECONDS = 1.0
_OVERTIME_SECONDS = 10.0
"""How long after it was stopped, beside its grace, a run may go on before the worker steps in."""
_GOODBYE_SECONDS = 5.0
_LEAVE_SECONDS = 3.0
"""How long a session that is over waits for killed jobs: less than a component that is cancelled is given to leave."""
# Between two bursts that are granted lies one claim that finds nothing.
_GRANTLESS_CLAIMS = 2


class SessionEnd(Enum):
    """How a session ended."""

    DRAINED = "drained"
    LOST = "lost"


class SessionLife:
    """Claims runs into free places, carries them out and reports them, until stopped or the session is lost."""

    def __init__(
        self,
        session_id: int,
        lease: Lease,
        *,
        store: Store,
        queue: MessageQueue,
        clock: Clock,
        config: WorkerConfig,
        lanes: Sequence[Lane],
        runner: TaskRunner,
        versions: VersionCache,
        heartbeat: Callable[["SessionLife"], HeartbeatService],
        kill_now: Callable[[], None],
    ) -> None:
        self.session_id = session_id
        self.lease = lease
        self._store = store
        self._queue = queue
        self._clock = clock
        self._config = config
        self._lanes = list(lanes)
        self._runner = runner
        self._needs = RunNeeds(store, clock, lease, versions)
        self._kill_now = kill_now
        self._live_runs = LiveRuns()
        self._logs = LogBuffer(
            store,
            session_id,
            clock,
            limit_bytes=config.output_limit_bytes,
            interval_seconds=config.output_interval_seconds,
        )
        self._reports = ReportBuffer(
            store,
            queue,
            session_id,
            self._live_runs,
            self._logs,
            lease,
            clock,
            next_claim=NextClaim(
                session_id, lanes, self._live_runs, may=self._may_claim_next, took=self._took, doubt=self._doubt
            ),
            batch_size_max=config.batch_size_max,
            interval_seconds=config.flush_interval_seconds,
            on_reported=self._on_reported,
            on_fenced=self.lose,
            look=self.look,
        )
        self._pauses = RunPauses(store, session_id, clock)
        self._returned = ReturnedRuns(store, queue, session_id, self._live_runs, self._logs)
        self._heartbeat = heartbeat(self)
        self._cancels = CancelWatch(self._live_runs, clock, self._heartbeat.nudge)
        self._is_looking = True
        self._taken: list[ClaimedRun] = []
        self._may_hold_unknown = False
        self._has_grants = False
        self._grantless_claims = 0
        self._is_told_lost = False
        self._failure: Exception | None = None
        self._stopping = False
        self._wake = asyncio.Event()

    # What others say: the heartbeat, the report buffer, the bell. All of them in the worker's loop.

    def look(self) -> None:
        """There may be work."""
        self._is_looking = True
        self._wake.set()

    def reconfigure(self, config: WorkerConfig) -> None:
        """Go by these settings, which differ in live ones only. With fewer places, runs that are held go on."""
        if config.max_concurrent_tasks != self._config.max_concurrent_tasks:
            self._heartbeat.nudge(places=config.max_concurrent_tasks)
        self._config = config
        self.look()

    def lose(self, reason: str) -> None:
        """The session is over: its runs belong to others now. Kills everything that was started for it."""
        if not self._is_told_lost:
            # The heartbeat and a refused report may both tell it.
            self._is_told_lost = True
            logger.warning("session lost", extra={"session_id": self.session_id, "reason": reason})
            count_lost_session()
        self.lease.lose()
        for live in self._live_runs:
            live.stop(StopReason.LOST, self._clock.monotonic())
        self._kill_now()
        self._wake.set()

    def fail(self, error: Exception) -> None:
        """The session is over because of a fault of this worker, which `run` raises."""
        self._failure = error
        self.lose(str(error))

    def renewed(self, rows: Sequence[HeldRun], requested_at: float) -> None:
        """The lease was renewed: do what differs between the database's view and what is really held."""
        self._settle_differences(rows, requested_at, at_once=False)

    def _on_reported(self) -> None:
        self._wake.set()

    def _may_claim_next(self) -> bool:
        is_free = len(self._live_runs) <= self._config.max_concurrent_tasks
        return is_free and not (self._stopping or self.lease.is_lost or self._may_hold_unknown or self._has_grants)

    def _took(self, claimed: Sequence[ClaimedRun]) -> None:
        self._hold(claimed)
        self._taken += claimed
        self._wake.set()
        if self._stopping:
            self._leave_taken()

    def _leave_taken(self) -> None:
        """Who would begin it may have ended."""
        taken, self._taken = self._taken, []
        for run in taken:
            if (live := self._live_runs.get(run.id)) is not None:
                self._give_back(live)

    def _doubt(self) -> None:
        self._may_hold_unknown = True
        self.look()

    # The life.

    async def run(self, stopping: asyncio.Event) -> SessionEnd:
        """Work until `stopping`, then drain; or until the session is lost. Every run it held is dead or done then.

        Raises what makes further work useless, such as SchemaVersionError.
        """
        self._heartbeat.start()
        try:
            async with asyncio.TaskGroup() as group, self._queue.listen(session_address(self.session_id)) as bell:
                loops = [
                    group.create_task(self._listen(bell), name="bell"),
                    group.create_task(self._cancels.run(), name="cancels"),
                    group.create_task(self._reports.run(), name="reports"),
                    group.create_task(self._logs.run(), name="logs"),
                    group.create_task(self._pauses.run(), name="pauses"),
                    group.create_task(self._sweep(), name="sweep"),
                    group.create_task(self._notice(stopping), name="stopping"),
                ]
                try:
                    await self._claim_until_stopped()
                    if not self.lease.is_lost:
                        await self._drain()
                finally:
                    for loop in loops:
                        loop.cancel()
        finally:
            self._kill_now()
            for live in self._live_runs:
                live.stop(StopReason.LOST, self._clock.monotonic())
            await self._ended(self._tasks(), _LEAVE_SECONDS)
            await self._heartbeat.stop()
        if self._failure is not None:
            raise self._failure
        return SessionEnd.LOST if self.lease.is_lost else SessionEnd.DRAINED

    async def _listen(self, bell: Bell) -> None:
        while True:
            # Varied, so that workers started together do not ask together for ever.
            if await bell.wait(self._config.poll_interval_seconds * random.uniform(0.8, 1.0)):
                self._cancels.rung()
            self.look()

    async def _notice(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self._stopping = True
        self._wake.set()

    async def _claim_until_stopped(self) -> None:
        backoff = Backoff()
        while not self._stopping and not self.lease.is_lost:
            if self._taken:
                taken, self._taken = self._taken, []
                await self._start(taken)
                continue
            free = self._config.max_concurrent_tasks - len(self._live_runs)
            if self._returned:
                if not await self._hand_back():
                    await self._clock.sleep(backoff.next_seconds())
                continue
            if not self._is_looking or free <= 0:
                self._wake.clear()
                if not self._must_act(free):
                    await self._wake.wait()
                continue
            # Cleared before the claim: a ring that comes meanwhile makes it look again.
            self._is_looking = False
            limit = min(free, self._config.batch_size_max)
            try:
                claimed = await self._claim(limit)
                # There may be more than were asked for.
                self._is_looking |= len(claimed) >= limit
                await self._start(claimed)
            except SessionFencedError as error:
                self.lose(str(error))
            except StoreUnavailableError as error:
                # The reply may be what was lost: then there are runs that nobody carries out.
                self._may_hold_unknown = True
                await self._pause(error, backoff)
            except SchemaVersionError:
                raise
            except ConflictError as error:
                await self._pause(error, backoff)
            else:
                backoff.reset()
        self._leave_taken()

    def _must_act(self, free: int) -> bool:
        looks = self._is_looking and free > 0
        return looks or self._stopping or self.lease.is_lost or bool(self._returned or self._taken)

    async def _pause(self, error: Exception, backoff: Backoff) -> None:
        self._is_looking = True
        logger.warning("claim failed", extra={"reason": str(error)})
        await self._clock.sleep(backoff.next_seconds())

    async def _claim(self, limit: int) -> list[ClaimedRun]:
        if self._may_hold_unknown:
            await self._find_unknown()
        self._live_runs.claim_started()
        try:
            async with self._store.autocommit() as work:
                claimed = await work.task_runs.claim(self.session_id, self._lanes, limit, has_grants=self._has_grants)
                # Held from this moment, before anything else can fail or a renewal is compared.
                self._hold(claimed)
        finally:
            self._live_runs.claim_ended()
        # Granted runs come one after another; when some claims have found none the cheaper statement will do.
        is_granted = any(run.granted_left is not None for run in claimed)
        self._grantless_claims = 0 if is_granted else self._grantless_claims + 1
        self._has_grants = is_granted or (self._has_grants and self._grantless_claims < _GRANTLESS_CLAIMS)
        was_granted = self._live_runs.granted_left
        # A claim that did not come back full has found all of them that can be taken: the others have been cancelled.
        self._live_runs.granted_left = (claimed[-1].granted_left or 0) if len(claimed) >= limit else 0
        if was_granted and len(claimed) < limit:
            # There was to be no room, so nobody has been told of it.
            await self._queue.ring([DISPATCHERS])
        return claimed

    def _hold(self, claimed: Sequence[ClaimedRun]) -> None:
        now = self._clock.monotonic()
        for run in claimed:
            self._live_runs.add(run, now)
        if claimed:
            count_claimed(len(claimed))

    async def _find_unknown(self) -> None:
        requested_at = self._clock.monotonic()
        # Before it is asked: what comes into doubt meanwhile may not be in the answer.
        self._may_hold_unknown = False
        try:
            async with self._store.autocommit() as work:
                rows = await work.worker_sessions.renew(self.session_id, self._stopping)
        except BaseException:
            self._may_hold_unknown = True
            raise
        if rows is None:
            raise SessionFencedError(self.session_id)
        self.lease.renewed(requested_at)
        # A report may claim at the same time, which is no lost reply yet.
        self._settle_differences(rows, requested_at, at_once=not self._live_runs.is_claiming)
        await self._hand_back()

    async def _start(self, claimed: Sequence[ClaimedRun]) -> None:
        if not claimed:
            return
        versions = await self._needs.versions_of(claimed)
        lives = [live for run in claimed if (live := self._live_runs.get(run.id)) is not None]
        waiting = []
        for live in lives:
            version = versions.get(live.claimed.task_version_id)
            if version is not None and self._runner.needs_inputs(live.claimed, version):
                waiting.append(live)
            else:
                self._begin(live, version)
        if waiting:
            await self._needs.add_inputs(waiting, until=lambda: self._stopping)
            for live in waiting:
                # Without its inputs it cannot be carried out, as without its version.
                self._begin(live, None if live.inputs is None else versions[live.claimed.task_version_id])

    def _begin(self, live: LiveRun, version: TaskVersion | None) -> None:
        if live.task is not None:
            return
        if live.stop_reason is StopReason.LOST:
            self._live_runs.remove(live.key)
        elif live.stop_reason is not None or version is None:
            # Stopped before it began: handed back, a cancelled one ends as CANCELLED.
            # Without its version nobody knows what to do; another worker may see more.
            live.is_unknown = version is None and not self._stopping
            self._give_back(live)
        else:
            live.waited_seconds = self._clock.monotonic() - live.held_since
            live.task = asyncio.create_task(self._carry_out(live, version))
            live.task.add_done_callback(partial(self._on_task_end, live))

    async def _carry_out(self, live: LiveRun, version: TaskVersion) -> None:
        if not self._lease_seconds_left():
            # This process may have stood still since its claim, and somebody else may have carried the run out. By the
            # clock: whoever ends the lease has not been woken yet, either.
            return
        output = self._logs.output(live.key)
        try:
            finished = await self._runner.run(live, version, output)
        except asyncio.CancelledError:
            output.close()
            raise
        except LeaseEndedError as error:
            # Should a late renewal have been answered after all: what was killed with the lease is lost with it.
            output.close()
            self.lose(str(error))
            return
        output.close()
        if not live.is_executing or self.lease.is_lost:
            # Given up already: reported by the sweep, or no longer this session's.
            return
        if finished is not None:
            self._live_runs.ended(live)
            self._reports.add(finished)
        elif live.stop_reason is StopReason.LOST:
            self._live_runs.remove(live.key)
            self._wake.set()
        else:
            self._give_back(live)

    def _on_task_end(self, live: LiveRun, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("run ended without an outcome", extra={"run_id": live.claimed.id}, exc_info=error)
        # A task that is cancelled before its first step does nothing at all.
        if live.is_executing and not self.lease.is_lost:
            self._give_back(live)

    def _give_back(self, live: LiveRun) -> None:
        self._returned.add(live)
        self._wake.set()

    def _settle_differences(self, rows: Sequence[HeldRun], requested_at: float, *, at_once: bool) -> None:
        if self.lease.is_lost:
            return
        differences = self._live_runs.compare(rows, requested_at, at_once=at_once)
        now = self._clock.monotonic()
        for live in differences.to_cancel:
            live.stop(StopReason.CANCEL, now)
        for live in differences.to_kill:
            logger.warning("run taken away; its job is killed", extra={"run_id": live.claimed.id})
            live.stop(StopReason.LOST, now)
        self._pauses.pause(differences.to_pause)
        self._pauses.resume(differences.to_resume)
        if self._returned.add_unknown(differences.to_hand_back):
            self._wake.set()

    async def _hand_back(self) -> bool:
        """Whether nothing is left to be handed back."""
        try:
            return await self._returned.give_back()
        except SessionFencedError as error:
            self.lose(str(error))
            return True

    async def _sweep(self) -> None:
        """Steps in where an executor does not end its run after it was stopped."""
        patience = self._config.kill_grace_seconds + _OVERTIME_SECONDS
        while True:
            await self._clock.sleep(_SWEEP_SECONDS)
            now = self._clock.monotonic()
            for live in self._live_runs:
                if not live.is_executing or live.task is None:
                    continue
                if live.stop_reason is not None and now > live.stopped_at + patience:
                    await self._abandon(live)

    async def _abandon(self, live: LiveRun) -> None:
        """Report a run that ignores its cancellation; the coroutine, which nothing can kill, is cancelled again."""
        logger.error("run ignores its cancellation and is given up", extra={"run_id": live.claimed.id})
        versions = await self._needs.versions_of([live.claimed])
        version = versions.get(live.claimed.task_version_id)
        outcome = None if version is None else stopped_outcome(live, version, is_abandoned=True)
        if live.is_executing:
            if version is None or outcome is None:
                self._give_back(live)
            else:
                self._live_runs.ended(live)
                self._reports.add(self._runner.report(live.claimed, version, outcome))
        if live.task is not None:
            live.task.cancel()

    async def _drain(self) -> None:
        """Let runs end within drain_seconds, stop and hand back the rest, and say goodbye."""
        logger.info("draining", extra={"runs": len(self._live_runs), "seconds": self._config.drain_seconds})
        self._heartbeat.nudge(draining=True)
        await self._ended(self._tasks(), self._config.drain_seconds)
        rest = [live for live in self._live_runs if live.is_executing]
        for live in rest:
            live.stop(StopReason.HAND_BACK, self._clock.monotonic())
        await self._ended(self._tasks(), self._config.kill_grace_seconds + _GOODBYE_SECONDS)
        if rest:
            logger.info("handing back", extra={"runs": len(rest)})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(_GOODBYE_SECONDS, self._lease_seconds_left())):
                await self._reports.drained()
                await self._close()

    async def _close(self) -> None:
        backoff = Backoff()
        while not self.lease.is_lost:
            # Killed before the runs are given to others.
            self._kill_now()
            try:
                await self._hand_back()
                async with self._store.autocommit() as work:
                    await ring_for_returned(self._queue, await work.worker_sessions.close(self.session_id))
                return
            except (StoreUnavailableError, ConflictError) as error:
                logger.warning("goodbye delayed", extra={"reason": str(error)})
                await self._clock.sleep(backoff.next_seconds())

    def _lease_seconds_left(self) -> float:
        return self.lease.seconds_left(self._clock.monotonic())

    def _tasks(self) -> set[asyncio.Task[None]]:
        return {live.task for live in self._live_runs if live.task is not None and not live.task.done()}

    async def _ended(self, tasks: set[asyncio.Task[None]], seconds: float) -> None:
        """Wait for runs to end, and no longer when the session is lost meanwhile."""
        deadline = self._clock.monotonic() + seconds
        was_lost = self.lease.is_lost
        while tasks and (left := deadline - self._clock.monotonic()) > 0:
            _, tasks = await asyncio.wait(tasks, timeout=min(left, _SWEEP_SECONDS))
            if self.lease.is_lost and not was_lost:
                return
