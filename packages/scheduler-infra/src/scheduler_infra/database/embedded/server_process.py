"""The server as a process: started in its own session, watched, signalled."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path

from scheduler_infra.database.embedded.postgresql_binaries import PostgresqlBinaries
from scheduler_infra.database.embedded.process_identity import ProcessIdentity
from scheduler_infra.database.embedded.server_account import ServerAccount

_POLL_SECONDS = 0.2


class ServerProcess:
    """A postmaster, our child or one that an earlier process of ours left behind."""

    def __init__(self, identity: ProcessIdentity, child: subprocess.Popen[bytes] | None = None) -> None:
        self.identity = identity
        self._child = child

    @classmethod
    def launch(
        cls, binaries: PostgresqlBinaries, account: ServerAccount, data_dir: Path, settings_file: Path, start_log: Path
    ) -> "ServerProcess":
        """Start `postgres`; what it says before its own log is open goes to `start_log`."""
        command: list[str | Path] = [binaries.program("postgres"), "-D", data_dir, "-c", f"config_file={settings_file}"]
        with start_log.open("wb") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                # A Ctrl-C at the terminal must not reach it: the others still need it for their drain.
                start_new_session=True,
                **account.popen_options,
            )
        identity = ProcessIdentity.of(child.pid) or ProcessIdentity(child.pid, "")
        return cls(identity, child)

    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None if self._child is not None else self.identity.is_alive()

    def send_signal(self, number: signal.Signals) -> None:
        """Signal it if it still runs; never another process that got its pid."""
        if self.is_alive():
            try:
                os.kill(self.identity.pid, number)
            except ProcessLookupError:
                return

    async def ended(self) -> None:
        """Return once it has ended."""
        pidfd = self._pidfd()
        if pidfd is not None:
            try:
                gone = asyncio.Event()
                loop = asyncio.get_running_loop()
                loop.add_reader(pidfd, gone.set)
                try:
                    # The pid may have changed hands before it was opened.
                    if self.is_alive():
                        await gone.wait()
                finally:
                    loop.remove_reader(pidfd)
            finally:
                os.close(pidfd)
        # Nobody tells when another's child ends.
        while self.is_alive():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    async def ended_within(self, seconds: float) -> bool:
        """Whether it ended in time."""
        try:
            async with asyncio.timeout(seconds):
                await self.ended()
        except TimeoutError:
            return not self.is_alive()
        return True

    def how_it_ended(self) -> str:
        """The exit code or signal, for messages."""
        code = None if self._child is None else self._child.poll()
        if code is None:
            return "ended"
        return f"ended with exit code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"

    def _pidfd(self) -> int | None:
        try:
            return os.pidfd_open(self.identity.pid)
        except (AttributeError, OSError):  # not Linux, forbidden in a sandbox, or gone
            return None
