"""What `scheduler doctor` says about poolers."""

import math
from pathlib import Path

from scheduler_core.errors import SchedulerError
from scheduler_core.runtime import CheckResult
from scheduler_infra.database.database_config import DatabaseConfig
from scheduler_infra.database.database_error import translated
from scheduler_infra.database.database_url import resolve_direct_url, resolve_url
from scheduler_infra.database.pooler import Pooler, pooler_at

_NAME = "pooler"
_DIRECT = "Set database.direct_url to the address of the server itself, beside database.url."


async def pooler_result(config: DatabaseConfig, state_dir: Path, *, rings_by_database: bool) -> CheckResult:
    """Whether what stands between here and the database lets everything through that is needed.

    `rings_by_database` says that processes ring each other by LISTEN and NOTIFY at the direct address.
    """
    try:
        found = await _pooler_at(resolve_url(config, state_dir), config)
        direct = await _pooler_at(resolve_direct_url(config, state_dir), config) if config.direct_url else found
    except SchedulerError as error:
        return CheckResult(_NAME, False, str(error), "Put database.url and database.direct_url right.")
    if found is Pooler.NONE:
        unused = "; database.direct_url is set all the same, so no statement is prepared" if config.direct_url else ""
        return CheckResult(_NAME, True, f"none before the database{unused}")
    if direct is not Pooler.TRANSACTION:
        way = "database.direct_url goes past it" if direct is Pooler.NONE else "each client keeps its server connection"
        return CheckResult(_NAME, True, f"one of {found.value}s before the database; {way}")
    which = "database.direct_url leads to it, too" if config.direct_url else "database.direct_url is not set"
    if not rings_by_database:
        return CheckResult(_NAME, True, f"one of transactions; {which}. `scheduler-infra db upgrade` needs one.")
    return CheckResult(
        _NAME,
        False,
        f"one of transactions before the database, and {which}: nobody can LISTEN through it, so rings are not heard "
        "and work waits for the fallback poll",
        _DIRECT,
    )


async def _pooler_at(url: str, config: DatabaseConfig) -> Pooler:
    seconds = max(1, math.ceil(config.connect_timeout_seconds))
    with translated():
        return await pooler_at(url, application_name="scheduler-doctor", connect_timeout=seconds)
