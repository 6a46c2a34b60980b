"""Settings of the database."""

from typing import Annotated, ClassVar

import msgspec

from scheduler_core.config import ConfigSection, setting

EMBEDDED = "embedded"
"""The value of database.url that means: the PostgreSQL that `scheduler up` starts by itself."""

_SCHEMES = ("postgresql://", "postgres://")

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]


class DatabaseConfig(ConfigSection):
    """Where the truth is, and how patiently it is asked."""

    section: ClassVar[str] = "database"

    url: str = setting(
        EMBEDDED,
        'Which PostgreSQL to use: "embedded" starts one with `scheduler up`, else postgresql://user:password@host/name.',
        secret=True,
    )
    direct_url: str = setting(
        "",
        "Address of the same database without the transaction pooler that url names, for migrations and LISTEN. Empty: "
        "url is used for all.",
        secret=True,
    )
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = setting(
        10, "How many connections one component opens at most."
    )
    connect_timeout_seconds: Seconds = setting(
        10.0, "How long to wait for a connection before the database counts as unreachable."
    )
    statement_timeout_seconds: Seconds = setting(30.0, "After how long the server cancels a statement.")
    lock_timeout_seconds: Seconds = setting(
        5.0, "How long a statement waits for rows that another transaction holds before it gives up."
    )

    @property
    def is_embedded(self) -> bool:
        """Whether `scheduler up` brings the database."""
        return self.url == EMBEDDED

    def problems(self) -> list[str]:
        """Addresses that are no PostgreSQL URL, and a lock time-out that could never be reached."""
        found = []
        if not self.is_embedded and not self.url.startswith(_SCHEMES):
            found.append(f'url must be "{EMBEDDED}" or begin with postgresql://; correct it.')
        if self.direct_url and not self.direct_url.startswith(_SCHEMES):
            found.append("direct_url must begin with postgresql://, or be empty to mean url; correct it.")
        if self.lock_timeout_seconds >= self.statement_timeout_seconds:
            found.append(
                f"lock_timeout_seconds ({self.lock_timeout_seconds:g}) must be below statement_timeout_seconds "
                f"({self.statement_timeout_seconds:g}); lower the one or raise the other."
            )
        return found
