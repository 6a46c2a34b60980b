"""The key of this machine's own client commands, in `credentials.json` of the state directory."""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from scheduler_core.decisions.api_key_rules import api_key_hash, new_api_key
from scheduler_core.errors import ConfigError, NotFoundError
from scheduler_core.interfaces import Store

FILE_NAME = "credentials.json"


_ANSWER_SECONDS_MAX = 1.0


def local_key_name(state_dir: Path) -> str:
    """The key's name: servers of other hosts and state directories on the same database have theirs."""
    return f"local@{socket.gethostname()}:{state_dir}"


class Credentials(NamedTuple):
    """Where the API is, and a key for it."""

    url: str
    api_key: str


async def ensure_local_credentials(store: Store, state_dir: Path, url: str) -> Path:
    """Leave a file there that holds `url` and a live key, readable by this user alone; returns its path.

    A key that is there and still valid is kept, and so is the address of another server that answers there. Else a
    new key is made and the one before it is revoked.
    """
    path = state_dir / FILE_NAME
    async with _alone_in(state_dir):
        present = _read(path)
        if present is not None and await _is_live(store, present.api_key):
            other = present.url != url and await _answers(present.url)
            if (present.url != url and not other) or path.stat().st_mode & 0o077:
                _write(path, Credentials(present.url if other else url, present.api_key))
            return path
        _write(path, Credentials(url, await _replace_key(store, local_key_name(state_dir))))
        return path


@asynccontextmanager
async def _alone_in(state_dir: Path) -> AsyncIterator[None]:
    """Two servers that start together would each revoke the other's key, and the file might hold either."""
    try:
        directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unusable(state_dir / FILE_NAME, error) from error
    try:
        # In a thread, and the lock goes with the descriptor: also when its holder is killed.
        await asyncio.to_thread(fcntl.flock, directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


async def _is_live(store: Store, secret: str) -> bool:
    async with store.autocommit() as work:
        return await work.api_keys.find(api_key_hash(secret)) is not None


async def _answers(url: str) -> bool:
    """Whether a server listens where a file says, so that the file is not ours to change."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(_ANSWER_SECONDS_MAX):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    except (OSError, TimeoutError, ValueError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def _replace_key(store: Store, name: str) -> str:
    fresh = new_api_key()
    async with store.transaction() as work:
        with contextlib.suppress(NotFoundError):
            await work.api_keys.revoke(name)
        await work.api_keys.create(name, fresh.prefix, fresh.key_hash)
    return fresh.secret


def _read(path: Path) -> Credentials | None:
    """None also for a damaged file: it is replaced."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        credentials = Credentials(document["url"], document["api_key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return credentials if all(isinstance(text, str) for text in credentials) else None


def _write(path: Path, credentials: Credentials) -> None:
    """All or nothing: a reader sees the file as it was or as it will be."""
    fresh = None
    try:
        # mkstemp makes it 0600 from the start.
        descriptor, fresh = tempfile.mkstemp(prefix=f".{FILE_NAME}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(credentials._asdict(), file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        Path(fresh).replace(path)
    except OSError as error:
        if fresh is not None:
            Path(fresh).unlink(missing_ok=True)
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"{path} cannot be written ({error.strerror or error}). Make {path.parent} writable for this user, or set "
        "SCHEDULER_STATE_DIR to another directory."
    )
