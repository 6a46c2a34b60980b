"""HTTP calls."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scheduler_core.config import Settings
from scheduler_core.decisions.egress_rules import EgressPolicy
from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import RunContext, RunOutcome, RunOutput, TaskExecutor
from scheduler_core.models import TaskRunStatus
from scheduler_worker.containment import supervision
from scheduler_worker.executors.parameter_check import parameter_problems
from scheduler_worker.own_thread import in_own_thread
from scheduler_worker.worker_config import WorkerConfig

if TYPE_CHECKING:
    import httpcore2

    from scheduler_worker.executors.http_egress import Resolve


class HttpExecutor(TaskExecutor):
    """Sends one request, and follows redirects as far as the task says; the status decides.

    Nothing is sent where the policy of the worker does not let it. The result is that of `http_result.outcome_of`;
    no more than `body_limit_bytes` of a body are received.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        body_limit_bytes: int = 65_536,
        ca_file: str = "",
        resolve: "Resolve | None" = None,
    ) -> None:
        self._policy = policy or WorkerConfig().egress_policy()
        self._body_limit_bytes = body_limit_bytes
        self._ca_file = ca_file
        self._resolve = resolve
        self._pool: httpcore2.AsyncConnectionPool | None = None
        self._opening = asyncio.Lock()

    @classmethod
    def from_settings(cls, settings: Settings) -> "HttpExecutor":
        """Made with the worker's settings http_…; ConfigError when http_ca_file cannot be read."""
        config = settings.section(WorkerConfig)
        if config.http_ca_file and not os.access(config.http_ca_file, os.R_OK):
            raise ConfigError(
                f"worker.http_ca_file is {config.http_ca_file!r}, which cannot be read. Give a PEM file of "
                "certificates, or leave it out."
            )
        return cls(config.egress_policy(), body_limit_bytes=config.http_body_limit_bytes, ca_file=config.http_ca_file)

    def check(self, parameters: Mapping[str, Any]) -> Sequence[str]:
        """See TaskExecutor."""
        return parameter_problems("http", parameters)

    async def execute(self, parameters: Mapping[str, Any], context: RunContext, output: RunOutput) -> RunOutcome:
        """See TaskExecutor."""
        try:
            pool = await self._opened()
        except OSError as error:
            return _failed(f"The certificates of worker.http_ca_file cannot be used: {error.strerror or error}.")
        from scheduler_worker.executors.http_calls import calls_to_end

        supervision.require_lease()
        return await calls_to_end(pool, parameters, context, output, self._body_limit_bytes)

    def kill_now(self) -> None:
        """See TaskExecutor; there are no processes, the coroutines are cancelled by who runs them."""

    async def close(self) -> None:
        """See TaskExecutor."""
        if self._pool is not None:
            await self._pool.aclose()
            self._pool = None

    async def _opened(self) -> "httpcore2.AsyncConnectionPool":
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    # Reading the system's certificates, and the library itself, would block the loop.
                    self._pool = await in_own_thread(self._new_pool)
        return self._pool

    def _new_pool(self) -> "httpcore2.AsyncConnectionPool":
        from scheduler_worker.executors.http_egress import open_pool, resolved

        return open_pool(self._policy, self._ca_file, self._resolve or resolved)


def _failed(error: str) -> RunOutcome:
    return RunOutcome(status=TaskRunStatus.FAILED, error=error, retryable=False)
