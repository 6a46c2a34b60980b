"""`scheduler-infra key`: keys of the HTTP API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import msgspec
from cyclopts import App, Parameter

from scheduler_core.config import load_settings
from scheduler_core.decisions.api_key_rules import new_api_key
from scheduler_core.interfaces import UnitOfWork
from scheduler_core.models import ApiKey
from scheduler_core.runtime.config_options import ConfigOptions
from scheduler_core.runtime.console import say, write_json, write_table
from scheduler_core.runtime.output_option import Output

app = App(name="key", help="Make, list and revoke keys of the HTTP API.")

ResultT = TypeVar("ResultT")


@app.command
def create(
    name: Annotated[str, Parameter(help="What the key is for; unique among live keys.")],
    *,
    output: Output = "table",
    config: ConfigOptions | None = None,
) -> int:
    """Make a key and write it to stdout: it is shown this once and stored as a hash."""
    fresh = new_api_key()
    key = _with_store(config, lambda work: work.api_keys.create(name, fresh.prefix, fresh.key_hash))
    if output == "json":
        write_json({**_plain(key), "api_key": fresh.secret})
    else:
        print(fresh.secret)
        say(f"Key '{name}' holds from now on. Keep it safe: it cannot be shown again.")
    return 0


@app.command(name="list")
def list_keys(*, output: Output = "table", config: ConfigOptions | None = None) -> int:
    """Write all keys, revoked ones too, without their secrets."""
    keys = _with_store(config, lambda work: work.api_keys.all())
    if output == "json":
        write_json({"items": [_plain(key) for key in keys]})
    else:
        write_table(
            ["id", "name", "prefix", "created", "revoked"],
            [[k.id, k.name, k.prefix, k.created_at.isoformat(), k.revoked_at or "-"] for k in keys],
        )
    return 0


@app.command
def revoke(
    name: Annotated[str, Parameter(help="Name of a live key.")],
    *,
    output: Output = "table",
    config: ConfigOptions | None = None,
) -> int:
    """Make a key useless at once."""
    key = _with_store(config, lambda work: work.api_keys.revoke(name))
    if output == "json":
        write_json(_plain(key))
    else:
        say(f"Key '{name}' ({key.prefix}…) is revoked.")
    return 0


def _with_store(config: ConfigOptions | None, action: Callable[[UnitOfWork], Awaitable[ResultT]]) -> ResultT:
    from scheduler_infra.database import DatabaseConfig, open_store

    config = config or ConfigOptions()
    settings = load_settings(config.flags, config_dir=config.config_dir)

    async def run() -> ResultT:
        store = await open_store(
            settings.section(DatabaseConfig),
            state_dir=settings.state_dir,
            application_name="scheduler-infra",
            max_connections=1,
        )
        try:
            async with store.autocommit() as work:
                return await action(work)
        finally:
            await store.close()

    return asyncio.run(run())


def _plain(key: ApiKey) -> dict[str, object]:
    plain: dict[str, object] = msgspec.to_builtins(key)
    return plain
