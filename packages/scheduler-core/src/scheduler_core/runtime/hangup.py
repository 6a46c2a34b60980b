"""What SIGHUP means: read the configuration again, unless the terminal has gone."""

import asyncio
import logging
import os
import signal
from pathlib import Path

from scheduler_core.runtime.process_folder import ProcessFolder, ProcessRecord
from scheduler_core.runtime.process_identity import ProcessIdentity
from scheduler_core.runtime.service_manager import ServiceManager
from scheduler_core.runtime.settings_reload import SettingsReload

logger = logging.getLogger("scheduler.runtime")


class Hangup:
    """Answers every SIGHUP of a process, one after another, once `begin` has been set."""

    def __init__(
        self,
        reload: SettingsReload,
        components: tuple[str, ...],
        state_dir: Path,
        manager: ServiceManager | None = None,
    ) -> None:
        self._reload = reload
        self._manager = manager or ServiceManager()
        self._folder = ProcessFolder(state_dir)
        self._components = components
        self._had_terminal = has_terminal()
        self._asked = asyncio.Event()
        self.begin = asyncio.Event()

    def hear(self) -> bool:
        """There was a SIGHUP; False when it says that the terminal was closed, which is to end the process."""
        if self._had_terminal and not has_terminal():
            return False
        self._asked.set()
        return True

    async def serve(self) -> None:
        """Be found by others, and answer, until cancelled; to be run when the signal is heard already."""
        # Whoever is started by nohup keeps its deaf ear.
        hears = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        record = ProcessRecord(ProcessIdentity.own(), self._components, hears)
        try:
            with self._folder.entered(record):
                await self._answer(record)
        except OSError as error:
            logger.warning("`scheduler config reload` will not find this process (%s); SIGHUP works", error)
            await self._answer(None)

    async def _answer(self, record: ProcessRecord | None) -> None:
        await self.begin.wait()
        while True:
            await self._asked.wait()
            # Cleared first: a request that comes meanwhile may be about a later change.
            self._asked.clear()
            tokens = self._folder.take_requests(record) if record is not None else []
            with self._manager.reloading():
                answer = await self._reload.reload()
            if record is not None:
                self._folder.answer(record, tokens, answer)


def has_terminal() -> bool:
    """Whether this process belongs to a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
