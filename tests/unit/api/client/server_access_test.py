"""Where a command finds its server and key."""

import json
from pathlib import Path

import pytest

from scheduler_api.client.client_error import ServerUnknownError, UsageError
from scheduler_api.client.server_access import ServerAccess, find_server_access

LOCAL = {"url": "http://127.0.0.1:8080", "api_key": "local"}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose state directory holds the credentials of a local server."""
    (tmp_path / "credentials.json").write_text(json.dumps(LOCAL))
    return {"SCHEDULER_STATE_DIR": str(tmp_path)}


def test_find_server_access_takes_the_local_server_by_itself(environ: dict[str, str]) -> None:
    """After `scheduler up` commands need no flag."""
    assert find_server_access(None, None, environ) == ServerAccess("http://127.0.0.1:8080", "local")


def test_find_server_access_flags_win_over_variables(environ: dict[str, str]) -> None:
    """Flags before variables before the file."""
    environ |= {"SCHEDULER_SERVER": "http://env", "SCHEDULER_API_KEY": "env"}
    assert find_server_access(None, None, environ) == ServerAccess("http://env", "env")
    assert find_server_access("http://flag", "flag", environ) == ServerAccess("http://flag", "flag")


def test_find_server_access_never_sends_the_local_key_elsewhere(environ: dict[str, str]) -> None:
    """The key of the local server is not given to a server that was named otherwise."""
    assert find_server_access("http://other:8080", None, environ) == ServerAccess("http://other:8080", None)
    assert find_server_access("http://127.0.0.1:8080/", None, environ).api_key == "local"


def test_find_server_access_reads_the_key_file(environ: dict[str, str], tmp_path: Path) -> None:
    """A key file, as container platforms mount it, may end with a line end."""
    (tmp_path / "key").write_text("from-file\n")
    environ["SCHEDULER_API_KEY_FILE"] = str(tmp_path / "key")
    assert find_server_access(None, None, environ).api_key == "from-file"


def test_find_server_access_unreadable_key_file_is_named(environ: dict[str, str]) -> None:
    """A key file that is missing is an error of its own, not a refused request later."""
    environ["SCHEDULER_API_KEY_FILE"] = "/nowhere/key"
    with pytest.raises(UsageError, match="/nowhere/key"):
        find_server_access(None, None, environ)


def test_find_server_access_nothing_known_says_what_to_type(tmp_path: Path) -> None:
    """Without any server the error names the file that is missing and both remedies."""
    with pytest.raises(ServerUnknownError, match="scheduler up") as caught:
        find_server_access(None, None, {"SCHEDULER_STATE_DIR": str(tmp_path)})
    assert str(tmp_path / "credentials.json") in str(caught.value)
    assert "SCHEDULER_SERVER" in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", '{"url": "x"}', "\x00"])
def test_find_server_access_damaged_file_is_told(environ: dict[str, str], tmp_path: Path, content: str) -> None:
    """A half-written credentials file is named, with the remedy."""
    (tmp_path / "credentials.json").write_text(content)
    with pytest.raises(ServerUnknownError, match="damaged"):
        find_server_access(None, None, environ)
