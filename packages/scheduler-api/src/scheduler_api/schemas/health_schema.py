"""Health as it is shown."""

import msgspec


class HealthPart(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One part: ok, degraded (all works, some of it later) or unavailable, with the reason for people."""

    status: str
    detail: str = ""


class Readiness(msgspec.Struct, kw_only=True):
    """The worst of the parts is the whole; only an unavailable part makes it not ready."""

    status: str
    parts: dict[str, HealthPart]

    @property
    def is_ready(self) -> bool:
        """Whether requests can be served."""
        return self.status != "unavailable"
