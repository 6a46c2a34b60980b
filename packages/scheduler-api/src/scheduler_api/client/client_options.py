"""The flags that every client command has, and the frame in which every one runs."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple, ParamSpec

from cyclopts import Group, Parameter

from scheduler_api.client.client_error import ClientError, UsageError
from scheduler_api.client.output import Output
from scheduler_api.client.server_access import find_server_access
from scheduler_core.runtime.console import OutputFormat

if TYPE_CHECKING:
    from scheduler_api.client.api_client import ApiClient

_P = ParamSpec("_P")
_GROUP = Group("Server and output", sort_key=90)


class Session(NamedTuple):
    """What a command works with."""

    api: "ApiClient"
    output: Output


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ClientOptions:
    """Where the server is, and how to answer."""

    server: Annotated[
        str | None,
        Parameter(group=_GROUP, help="Address of the API [SCHEDULER_SERVER, else the server started on this machine]."),
    ] = None
    api_key: Annotated[
        str | None,
        Parameter(group=_GROUP, help="Key of the API; other users of this machine can see it here, so prefer the "
                  "variables [SCHEDULER_API_KEY, SCHEDULER_API_KEY_FILE]."),
    ] = None  # fmt: skip
    output: Annotated[
        OutputFormat, Parameter(name=["--output", "-o"], group=_GROUP, help="How data is written to stdout.")
    ] = "table"
    quiet: Annotated[
        bool, Parameter(name=["--quiet", "-q"], negative=(), group=_GROUP, help="Say nothing but data and errors.")
    ] = False
    request_timeout: Annotated[
        float, Parameter(group=_GROUP, help="Seconds to wait for each answer of the server.")
    ] = 30.0

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Find the server and open a client to it; it is closed at the end."""
        # Here and not above: `scheduler task --help` asks no server.
        from scheduler_api.client.api_client import ApiClient

        if not 0 < self.request_timeout <= 86400:
            raise UsageError(
                f"--request-timeout must be more than 0 and at most 86400 seconds, not {self.request_timeout:g}."
            )
        access = find_server_access(self.server, self.api_key)
        with ApiClient(access.server, access.api_key, timeout_seconds=self.request_timeout) as api:
            yield Session(api, Output(self.output, quiet=self.quiet))


DEFAULT_OPTIONS = ClientOptions()


def client_command(command: Callable[_P, int]) -> Callable[_P, int]:
    """Frame a command: its errors become a paragraph (or problem JSON) on stderr and an exit code.

    The command takes its `ClientOptions` as the keyword `options`.
    """

    @functools.wraps(command)
    def framed(*args: _P.args, **kwargs: _P.kwargs) -> int:
        options = kwargs.get("options")
        output = Output(options.output, quiet=options.quiet) if isinstance(options, ClientOptions) else Output()
        try:
            return int(command(*args, **kwargs))
        except ClientError as error:
            output.error(error)
            return int(error.exit_code)

    return framed
