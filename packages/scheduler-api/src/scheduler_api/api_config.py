"""The settings of the HTTP API."""

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from msgspec import Meta

from scheduler_api.bind_address import parse_bind_address
from scheduler_core.config import ConfigSection, setting


class ApiConfig(ConfigSection):
    """The table [api]."""

    section: ClassVar[str] = "api"

    enabled: bool = setting(True, "Whether `scheduler up` runs the HTTP API.")
    bind_address: str = setting(
        "127.0.0.1:8080",
        "The host and port that the API listens on, as host:port or [IPv6]:port; port 0 takes any free one. Anything "
        "but loopback needs an API key (`scheduler-infra key create NAME`) before the API starts.",
    )
    cors_enabled: bool = setting(
        False, "Whether browsers may let pages of other origins call the API; such a page still needs an API key."
    )
    cors_origins: list[str] = setting(
        [], "With cors_enabled: the origins that are let in, such as https://ops.example.com; none named means any."
    )
    body_bytes_max: Annotated[int, Meta(ge=1024, le=1_073_741_824)] = setting(
        1_048_576, "The largest request body in bytes; a larger one is answered with 413."
    )
    drain_seconds: Annotated[float, Meta(ge=0, le=3600)] = setting(
        10.0, "How long requests that have begun may take to finish when the API stops; then they are cut off."
    )

    def problems(self) -> list[str]:
        """The address must be one, and origins must be origins."""
        found = []
        try:
            parse_bind_address(self.bind_address)
        except ValueError as error:
            found.append(f"bind_address {error}")
        found += [
            f"cors_origins has '{origin}', which is no origin. Write scheme://host or scheme://host:port."
            for origin in self.cors_origins
            if not _is_origin(origin)
        ]
        return found


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return text == "*" or (parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}")
