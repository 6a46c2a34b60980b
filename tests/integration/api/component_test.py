"""The API as a component, on a real database."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from fixtures.api_app import make_key
from scheduler_api.api_config import ApiConfig
from scheduler_api.component import ApiComponent
from scheduler_api.local_credentials import ensure_local_credentials, local_key_name
from scheduler_core.config import Settings
from scheduler_core.decisions.api_key_rules import api_key_hash
from scheduler_core.errors import ConfigError
from scheduler_core.interfaces import Store
from scheduler_core.runtime.component_context import ProcessContext
from scheduler_core.runtime.system_clock import SystemClock
from scheduler_infra.database import DatabaseConfig


@asynccontextmanager
async def running(
    database_url: str, state_dir: Path, bind_address: str, is_embedded: bool = False
) -> AsyncIterator[str]:
    """A running component; gives the line that it says when it is ready."""
    settings = Settings.of(
        DatabaseConfig(url=database_url), ApiConfig(bind_address=bind_address, drain_seconds=1), state_dir=state_dir
    )
    component = ApiComponent(ProcessContext(settings, SystemClock(), is_embedded))
    said: asyncio.Queue[str] = asyncio.Queue()
    stopping = asyncio.Event()
    run = asyncio.create_task(component.run(said.put_nowait, stopping))
    line = asyncio.create_task(said.get())
    try:
        await asyncio.wait({run, line}, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            await run
        yield line.result()
    finally:
        line.cancel()
        stopping.set()
        await asyncio.gather(run, return_exceptions=True)


async def test_api_component_integration_serves_with_its_own_key(database_url: str, tmp_path: Path) -> None:
    """On loopback the component leaves its address and a working key for the client commands, readable by one user."""
    async with running(database_url, tmp_path, "127.0.0.1:0") as line:
        path = tmp_path / "credentials.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        credentials = json.loads(path.read_text())
        assert credentials["url"] in line
        async with httpx2.AsyncClient(base_url=credentials["url"]) as client:
            assert (await client.get("/api/v1/tasks")).status_code == 401
            headers = {"Authorization": f"Bearer {credentials['api_key']}"}
            assert (await client.get("/api/v1/tasks", headers=headers)).json() == {"items": [], "next_cursor": None}
            assert (await client.get("/health/ready")).json()["status"] == "ok"


async def test_api_component_integration_listens_to_others_only_with_a_key(
    database_url: str, tmp_path: Path, store: Store
) -> None:
    """An address that others can reach is refused until there is a key, whoever starts it."""
    for is_embedded in (False, True):
        with pytest.raises(ConfigError, match="key create"):
            async with running(database_url, tmp_path, "0.0.0.0:0", is_embedded):
                pass
    await make_key(store, "ops")
    async with running(database_url, tmp_path, "0.0.0.0:0"):
        assert not (tmp_path / "credentials.json").exists()
    async with running(database_url, tmp_path, "0.0.0.0:0", is_embedded=True):
        assert json.loads((tmp_path / "credentials.json").read_text())["url"].startswith("http://127.0.0.1:")


async def keys_of(store: Store) -> list[tuple[str, bool]]:
    """Names of all keys and whether they are live."""
    async with store.autocommit() as work:
        return [(key.name, key.revoked_at is None) for key in await work.api_keys.all()]


async def test_ensure_local_credentials_integration_keeps_a_valid_key(store: Store, tmp_path: Path) -> None:
    """A second start keeps the key and writes the address that holds now."""
    path = await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:1")
    first = json.loads(path.read_text())
    path.chmod(0o644)
    await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:2")
    assert json.loads(path.read_text()) == {"url": "http://127.0.0.1:2", "api_key": first["api_key"]}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert await keys_of(store) == [(local_key_name(tmp_path), True)]


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"url": "x"}', '{"url": "x", "api_key": "sch_old"}'])
async def test_ensure_local_credentials_integration_replaces_a_lost_key(
    store: Store, tmp_path: Path, content: str | None
) -> None:
    """When the file is lost, damaged or holds another key, a new key is made and the old one is revoked."""
    path = await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:1")
    first = json.loads(path.read_text())["api_key"]
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:1")
    assert json.loads(path.read_text())["api_key"] != first
    assert await keys_of(store) == [(local_key_name(tmp_path), False), (local_key_name(tmp_path), True)]
    assert os.listdir(tmp_path) == ["credentials.json"]  # noqa: PTH208  quick, and no pathlib in async code


async def test_ensure_local_credentials_integration_of_several_starts_at_once(store: Store, tmp_path: Path) -> None:
    """Servers of one state directory that start together agree on one key, and the file holds it."""
    paths = await asyncio.gather(*[ensure_local_credentials(store, tmp_path, "http://127.0.0.1:1") for _ in range(5)])
    async with store.autocommit() as work:
        assert await work.api_keys.find(api_key_hash(json.loads(paths[0].read_text())["api_key"])) is not None
    assert await keys_of(store) == [(local_key_name(tmp_path), True)]


async def test_ensure_local_credentials_integration_leaves_a_live_servers_address(store: Store, tmp_path: Path) -> None:
    """A second server of the state directory does not take the file from one that still answers."""
    async with await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        path = await ensure_local_credentials(store, tmp_path, url)
        await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:2")
        assert json.loads(path.read_text())["url"] == url
    await ensure_local_credentials(store, tmp_path, "http://127.0.0.1:2")
    assert json.loads(path.read_text())["url"] == "http://127.0.0.1:2"


async def test_ensure_local_credentials_integration_of_two_sites_on_one_database(store: Store, tmp_path: Path) -> None:
    """Servers with state directories of their own do not revoke each other's keys."""
    sites = [tmp_path / "one", tmp_path / "two"]
    for site in sites:
        site.mkdir()
        await ensure_local_credentials(store, site, "http://127.0.0.1:1")
    assert await keys_of(store) == [(local_key_name(site), True) for site in sites]
