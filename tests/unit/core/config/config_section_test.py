"""What a section says about its keys."""

from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from scheduler_core.config import ConfigSection, setting


class Base(ConfigSection):
    """A section to derive from."""

    section: ClassVar[str] = "api"
    host: str = setting("127.0.0.1", "Where it listens.")
    tags: list[str] = setting([], "Which kinds.")


class Derived(Base):
    """A section with more keys."""

    password: str | None = setting(None, "Who may enter.", secret=True)
    count: Annotated[int, msgspec.Meta(ge=1)] = setting(3, "How many.", live=True)


def test_settings_describe_every_key_in_order() -> None:
    """Inherited keys come first, each with default, effect and flags."""
    found = [(s.key, s.default, s.effect, s.secret, s.live) for s in Derived.settings()]
    assert found == [
        ("host", "127.0.0.1", "Where it listens.", False, False),
        ("tags", [], "Which kinds.", False, False),
        ("password", None, "Who may enter.", True, False),
        ("count", 3, "How many.", False, True),
    ]


def test_sections_are_frozen_and_refuse_unknown_keys() -> None:
    """Nobody can change settings after they were read, or pass one that does not exist."""
    section: Any = Derived()
    with pytest.raises(AttributeError):
        section.count = 4
    with pytest.raises(TypeError):
        Derived(cuont=4)  # type: ignore[call-arg]


def test_mutable_defaults_are_not_shared() -> None:
    """Two sections never hold the same list."""
    assert Base().tags is not Base().tags
    assert Base().tags == []


def test_representation_masks_secrets() -> None:
    """A section that ends up in a log or a traceback tells no secret."""
    section = Derived(password="hunter2")
    assert "hunter2" not in f"{section} {section!r}"
    assert "count=3" in repr(section)
