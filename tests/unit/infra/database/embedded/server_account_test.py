"""Who runs the server."""

import os
from pathlib import Path

import pytest

from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded.server_account import server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def test_server_account_never_root() -> None:
    """The server never runs as root."""
    assert server_account({}).uid != 0


@as_root
def test_server_account_named() -> None:
    """SCHEDULER_RUN_AS names the account by name or by uid, which needs no entry in the password database."""
    assert server_account({"SCHEDULER_RUN_AS": "daemon"}).uid == server_account({"SCHEDULER_RUN_AS": "1"}).uid
    assert server_account({"SCHEDULER_RUN_AS": "54321"}).uid == 54321


@as_root
@pytest.mark.parametrize("wanted", ["no-such-user", "root", "0"])
def test_server_account_refused(wanted: str) -> None:
    """An account that does not exist, or root's, is refused by the variable's name."""
    with pytest.raises(ConfigError, match="SCHEDULER_RUN_AS"):
        server_account({"SCHEDULER_RUN_AS": wanted})


@as_root
def test_can_enter_closed(state_dir: Path) -> None:
    """Whether the account may pass through a directory is found out by trying."""
    (state_dir / "inner").mkdir(mode=0o711)
    assert server_account({}).can_enter(state_dir / "inner")
    state_dir.chmod(0o700)
    assert not server_account({}).can_enter(state_dir)
    assert not server_account({}).can_enter(state_dir / "inner")


@as_root
def test_popen_options_leak_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server inherits neither variables nor groups of the process that starts it."""
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("SECRET", "geheim")
    account = server_account({})
    assert account.can_run(["sh", "-c", 'test -z "$PGDATA$SECRET" && test "$(id -G)" = "$(id -g)"'])
