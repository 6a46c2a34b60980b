"""What a process makes of a configuration that it reads again."""

import logging
from typing import Any, ClassVar, cast

import pytest

from scheduler_core.config import ConfigSection, Settings, setting
from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import Component
from scheduler_core.runtime.reload_answer import ReloadAnswer, ReloadedKey
from scheduler_core.runtime.settings_reload import SettingsReload


class WorkerSection(ConfigSection):
    """The section of a component."""

    section: ClassVar[str] = "worker"
    places: int = setting(10, "How many.", live=True)
    lease: int = setting(30, "How long.")


class LogSection(ConfigSection):
    """A section of nobody's."""

    section: ClassVar[str] = "observability"
    level: str = setting("INFO", "How much.", live=True)


class Rigid:
    """A component that cannot reload."""

    def __init__(self, name: str) -> None:
        self.name = name


class Flexible(Rigid):
    """A component that can, or cannot take a certain number of places."""

    def __init__(self, name: str, refused: BaseException | None = None) -> None:
        super().__init__(name)
        self.refused = refused
        self.taken: list[int] = []

    async def reload(self, settings: Settings) -> None:
        """Take the places, 10 at any time."""
        places = settings.section(WorkerSection).places
        if self.refused is not None and places != 10:
            raise self.refused
        self.taken.append(places)


class Bench:
    """A process with these components, which starts with 10 places."""

    def __init__(self, *components: Rigid) -> None:
        self.next: Settings | ConfigError = settings()
        self.reload = SettingsReload(
            cast(list[Component], list(components)),
            settings(),
            self._read,
            sections=[WorkerSection, LogSection],
            known_components=["api", "worker"],
        )

    async def answer_to(self, found: Settings | ConfigError) -> ReloadAnswer:
        """What is answered when the configuration is this."""
        self.next = found
        return await self.reload.reload()

    def _read(self) -> Settings:
        if isinstance(self.next, ConfigError):
            raise self.next
        return self.next


def settings(level: str = "INFO", **worker: Any) -> Settings:
    """A configuration."""
    return Settings.of(WorkerSection(**worker), LogSection(level=level))


async def test_reload_applies_what_is_live_and_names_the_rest_until_the_restart() -> None:
    """The same configuration read twice leaves only what still waits for a restart."""
    worker = Flexible("worker")
    bench = Bench(worker)
    waiting = ReloadedKey("worker.lease", 30, 60, "needs restart")
    answer = await bench.answer_to(settings(places=20, lease=60))
    assert answer == ReloadAnswer((ReloadedKey("worker.places", 10, 20, "applied"), waiting))
    assert await bench.answer_to(settings(places=20, lease=60)) == ReloadAnswer((waiting,))
    assert worker.taken == [20]


async def test_reload_that_finds_nothing_new_disturbs_nobody() -> None:
    """Components are called only when something changes for them."""
    worker = Flexible("worker")
    assert await Bench(worker).answer_to(settings()) == ReloadAnswer()
    assert worker.taken == []


async def test_reload_refuses_a_broken_configuration_wholly(caplog: pytest.LogCaptureFixture) -> None:
    """The message is that of a start, nothing is changed, and the next one counts again."""
    worker = Flexible("worker")
    bench = Bench(worker)
    answer = await bench.answer_to(ConfigError("worker.places cannot be 'x' (a.toml)."))
    assert answer == ReloadAnswer(refusal="worker.places cannot be 'x' (a.toml).")
    assert "the old one goes on: worker.places cannot be 'x' (a.toml)." in caplog.text
    assert worker.taken == []
    await bench.answer_to(settings(places=11))
    assert worker.taken == [11]


@pytest.mark.parametrize(
    ("error", "told"), [(ConfigError("No such place."), "No such place."), (KeyError("x"), "KeyError: 'x'")]
)
async def test_reload_takes_back_what_was_applied_when_a_component_cannot(error: Exception, told: str) -> None:
    """Either all components have the new values or none, also when one of them is defective."""
    first, second = Flexible("worker"), Flexible("api", refused=error)
    bench = Bench(first, second)
    assert await bench.answer_to(settings(places=20)) == ReloadAnswer(refusal=told)
    assert (first.taken, second.taken) == ([20, 10], [10])
    second.refused = None
    answer = await bench.answer_to(settings(places=30))
    assert answer.keys == (ReloadedKey("worker.places", 10, 30, "applied"),)


async def test_reload_needs_a_restart_for_components_that_cannot_reload() -> None:
    """A component of before there was any reloading keeps its settings, and is not said to have others."""
    api = Flexible("api")
    answer = await Bench(Rigid("worker"), api).answer_to(settings("DEBUG", places=20))
    assert answer.keys == (
        ReloadedKey("worker.places", 10, 20, "needs restart"),
        ReloadedKey("observability.level", "INFO", "DEBUG", "applied"),
    )
    assert api.taken == [10]


async def test_reload_is_silent_about_components_that_do_not_run_here() -> None:
    """The places of workers are nothing to a process that only serves the API."""
    answer = await Bench(Flexible("api")).answer_to(settings(places=20, lease=60))
    assert answer == ReloadAnswer()


async def test_reload_tells_the_log_what_changed_at_the_old_or_the_new_level(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Whoever makes the log quieter finds in it that it was."""

    class Quiet(Flexible):
        async def reload(self, settings: Settings) -> None:
            logging.getLogger("scheduler.runtime").setLevel(logging.ERROR)

    with caplog.at_level(logging.INFO, "scheduler.runtime"):
        await Bench(Quiet("worker")).answer_to(settings("ERROR"))
        assert "configuration reloaded: observability.level from 'INFO' to 'ERROR'" in caplog.text
        caplog.clear()
        logging.getLogger("scheduler.runtime").setLevel(logging.WARNING)
        await Bench(Flexible("worker")).answer_to(settings(lease=60))
        assert caplog.messages == ["these settings need a restart: worker.lease from 30 to 60"]
