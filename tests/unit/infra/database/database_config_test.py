"""DatabaseConfig and the address made from it."""

from pathlib import Path

import pytest

from scheduler_core.config import Settings
from scheduler_core.errors import StoreUnavailableError
from scheduler_infra.component import EmbeddedPostgresqlComponent
from scheduler_infra.database import DatabaseConfig, resolve_url
from scheduler_infra.database.database_url import resolve_direct_url


def test_problems_default() -> None:
    """The defaults work and mean the embedded server."""
    assert DatabaseConfig().problems() == []
    assert DatabaseConfig().is_embedded


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (DatabaseConfig(url="mysql://host/name"), "url"),
        (DatabaseConfig(url="postgresql://host/name", direct_url="embedded"), "direct_url"),
        (DatabaseConfig(lock_timeout_seconds=30.0), "lock_timeout_seconds"),
    ],
)
def test_problems_unusable(config: DatabaseConfig, key: str) -> None:
    """A value that cannot work is reported by its key."""
    assert [problem.split()[0] for problem in config.problems()] == [key]


def test_repr_masks_password() -> None:
    """A password in the address is shown nowhere."""
    assert "geheim" not in repr(DatabaseConfig(url="postgresql://user:geheim@host/name"))


def test_is_enabled_follows_url(tmp_path: Path) -> None:
    """The embedded server runs exactly when database.url says so."""
    external = DatabaseConfig(url="postgresql://host/name")
    assert EmbeddedPostgresqlComponent.is_enabled(Settings.of(DatabaseConfig(), state_dir=tmp_path))
    assert not EmbeddedPostgresqlComponent.is_enabled(Settings.of(external, state_dir=tmp_path))


def test_resolve_url_external(tmp_path: Path) -> None:
    """A configured address is used as it is; the direct one goes before it where it is wanted."""
    config = DatabaseConfig(url="postgresql://pooler/name", direct_url="postgresql://server/name")
    assert resolve_url(config, tmp_path) == "postgresql://pooler/name"
    assert resolve_direct_url(config, tmp_path) == "postgresql://server/name"
    assert resolve_direct_url(DatabaseConfig(url="postgresql://pooler/name"), tmp_path) == "postgresql://pooler/name"


def test_resolve_url_nothing_running(tmp_path: Path) -> None:
    """Without an embedded server the error names the state directory and both remedies."""
    with pytest.raises(StoreUnavailableError) as caught:
        resolve_url(DatabaseConfig(), tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "`scheduler up`" in str(caught.value)
    assert "database.url" in str(caught.value)
