"""Reads a process's configuration again and lets its components have what is live."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from scheduler_core.config import Settings
from scheduler_core.config.config_section import ConfigSection
from scheduler_core.config.settings_change import setting_changes
from scheduler_core.errors import SchedulerError
from scheduler_core.interfaces import Component, ReloadableComponent
from scheduler_core.runtime.reload_answer import ReloadAnswer, ReloadedKey

logger = logging.getLogger("scheduler.runtime")


class SettingsReload:
    """The settings that the components of a process have now.

    `sections` are those that may be configured, by name; those called like one of `known_components` belong to it, and
    do not concern a process that does not run it. `read` is called in a thread.
    """

    def __init__(
        self,
        components: Sequence[Component],
        settings: Settings,
        read: Callable[[], Settings],
        *,
        sections: Sequence[type[ConfigSection]],
        known_components: Collection[str],
    ) -> None:
        self._settings = settings
        self._read = read
        self._reloadable = [each for each in components if isinstance(each, ReloadableComponent)]
        own = {each.name for each in components}
        self._sections = [each for each in sections if each.section in own or each.section not in known_components]
        rigid = own - {each.name for each in components if isinstance(each, ReloadableComponent)}
        self._live_sections = [each for each in self._sections if each.section not in rigid]

    async def reload(self) -> ReloadAnswer:
        """Read, check, and apply all that is live or nothing; tells the log what differs."""
        try:
            newer = await asyncio.to_thread(self._read)
            mixed = self._settings.with_live_keys_of(newer, self._live_sections)
            keys = self._keys(newer)
            was_told = logger.isEnabledFor(logging.INFO)
            if any(key.outcome == "applied" for key in keys):
                await self._apply(mixed)
        except Exception as error:  # whatever a plug-in does, the process goes on
            is_explained = isinstance(error, SchedulerError)
            logger.error("configuration not reloaded; the old one goes on: %s", error, exc_info=not is_explained)
            return ReloadAnswer(refusal=str(error) if is_explained else f"{type(error).__name__}: {error}")
        self._settings = mixed
        _tell(keys, was_told=was_told)
        return ReloadAnswer(tuple(keys))

    def _keys(self, newer: Settings) -> list[ReloadedKey]:
        live = {section.section for section in self._live_sections}
        return [
            ReloadedKey(
                change.key,
                change.old,
                change.new,
                "applied" if change.is_live and change.key.partition(".")[0] in live else "needs restart",
            )
            for change in setting_changes(self._settings, newer, self._sections)
        ]

    async def _apply(self, mixed: Settings) -> None:
        begun: list[ReloadableComponent] = []
        try:
            for component in self._reloadable:
                begun.append(component)
                await component.reload(mixed)
        except Exception:
            for taken in reversed(begun):
                try:
                    await taken.reload(self._settings)
                except Exception:  # the first failure is the one to tell
                    logger.exception("old settings not taken back")
            raise


def _tell(keys: Sequence[ReloadedKey], *, was_told: bool) -> None:
    applied = [f"{key.key} from {key.old!r} to {key.new!r}" for key in keys if key.outcome == "applied"]
    waiting = [f"{key.key} from {key.old!r} to {key.new!r}" for key in keys if key.outcome == "needs restart"]
    if was_told or logger.isEnabledFor(logging.INFO):
        # Also as the last line of its level: whoever raises the level has to find that in the log.
        text = f"configuration reloaded: {'; '.join(applied) or 'nothing to apply'}"
        logger.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, text, (), None))
    if waiting:
        logger.warning("these settings need a restart: %s", "; ".join(waiting))
