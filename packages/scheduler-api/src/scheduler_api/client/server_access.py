"""Which server a command speaks to, and with which key."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from scheduler_api.client.client_error import ServerUnknownError, UsageError


class ServerAccess(NamedTuple):
    """An address and the key for it; without a key only /health can be read."""

    server: str
    api_key: str | None


def find_server_access(
    server: str | None, api_key: str | None, environ: Mapping[str, str] | None = None
) -> ServerAccess:
    """Take flags before SCHEDULER_SERVER and SCHEDULER_API_KEY(_FILE), these before the credentials file.

    The file's key goes only to the file's own server: it is never sent to an address that was named otherwise.
    Raises ServerUnknownError when nothing names a server.
    """
    environ = os.environ if environ is None else environ
    server = server or environ.get("SCHEDULER_SERVER") or None
    api_key = api_key or _key_from_environment(environ)
    if server and api_key:
        return ServerAccess(server, api_key)
    path = credentials_path(environ)
    stored = _read_credentials(path)
    if server is None:
        if stored is None:
            raise ServerUnknownError(
                f"No server is running here that this user may use (there is no {path}). Start one with "
                "`scheduler up`, or name one with --server and --api-key, or SCHEDULER_SERVER and SCHEDULER_API_KEY."
            )
        return ServerAccess(stored.server, api_key or stored.api_key)
    if api_key is None and stored is not None and _origin(server) == _origin(stored.server):
        return ServerAccess(server, stored.api_key)
    return ServerAccess(server, api_key)


def credentials_path(environ: Mapping[str, str]) -> Path:
    """Where `scheduler up` leaves the address and key of the server that it started."""
    from scheduler_core.config.state_dir import find_state_dir

    return find_state_dir(environ) / "credentials.json"


def _key_from_environment(environ: Mapping[str, str]) -> str | None:
    if key := environ.get("SCHEDULER_API_KEY"):
        return key.strip()
    if path := environ.get("SCHEDULER_API_KEY_FILE"):
        try:
            return Path(path).read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"SCHEDULER_API_KEY_FILE names {path}, which cannot be read ({error}). Correct the path, or let this "
                "user read the file."
            ) from error
    return None


def _read_credentials(path: Path) -> ServerAccess | None:
    try:
        content = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ServerUnknownError(
            f"{path} cannot be read ({(error.strerror or str(error)).lower()}): it belongs to the user who started the "
            "server. Run the command as that user, or set SCHEDULER_SERVER and SCHEDULER_API_KEY."
        ) from error
    try:
        document = json.loads(content)
        return ServerAccess(str(document["url"]), str(document["api_key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ServerUnknownError(
            f"{path} is damaged: it must hold url and api_key. Remove it and start the server again with "
            "`scheduler up`, which writes a new one."
        ) from error


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}.get(parts.scheme)
