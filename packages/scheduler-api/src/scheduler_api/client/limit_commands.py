"""`scheduler limit …`: how many runs may run at once, and how often runs may start."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.confirmation import confirmed
from scheduler_api.client.limit_dry_run import dry_run_create, dry_run_update
from scheduler_api.client.limit_name_completion import complete_limit_names
from scheduler_api.client.limit_view import KEY_HEADINGS, LIMIT_HEADINGS, key_row, limit_fields, limit_row
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="limit", help="Say how many runs may run at once and how often runs may start.")

LimitName = Annotated[str, Parameter(completer=complete_limit_names)]
_NO = Parameter(negative=())


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LimitFlags:
    """The fields of a limit that can be given as flags; None means that the flag was not given."""

    concurrent: int | None = None
    """How many runs may run at once."""
    rate: str | None = None
    """How many runs may start within which time: 100/min, 5/s, 1000/h, 50/d or 10/5s."""
    burst: int | None = None
    """How many may start together after a quiet time [as many as the rate says]."""
    key: str | None = None
    """Expression over a run's parameters, such as params.customer: each of its values is counted by itself."""
    description: str | None = None
    """A sentence for people."""
    namespace: str | None = None
    """Namespace of the limit, and of the tasks that may use it [default]."""

    def fields(self) -> dict[str, Any]:
        """The given fields as the API names them, without the namespace."""
        names = ("concurrent", "rate", "burst", "key", "description")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


_NO_FLAGS = LimitFlags()


@app.command(name="create")
@client_command
def create_limit(
    name: str,
    /,
    *,
    dry_run: Annotated[bool, _NO] = False,
    flags: LimitFlags = _NO_FLAGS,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Declare a limit; tasks that name it keep it from then on.

    Parameters
    ----------
    name
        Name of the limit: unique in its namespace, not all digits.
    dry_run
        Only say what is wrong with it.
    """
    body = {"name": name, **flags.fields()}
    if flags.namespace is not None:
        body["namespace"] = flags.namespace
    with options.session() as session:
        if dry_run:
            return dry_run_create(session, body)
        _show(session, session.api.post("limits", body=body, idempotent=True))
        session.output.note(f"Let a task keep it with `scheduler task update TASK --limit {name}`.")
        return ExitCode.OK


@app.command(name="list", alias="ls")
@client_command
def list_limits(
    *,
    namespace: str | None = None,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """List limits.

    Parameters
    ----------
    namespace
        Only limits of this namespace.
    limit
        How many to show.
    every
        Show all of them, page after page.
    """
    with options.session() as session:
        page = fetch_list(session, "limits", limit=limit, every=every, namespace=namespace)
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note("No limits. Declare one with `scheduler limit create NAME --concurrent N`.")
            return ExitCode.OK
        session.output.table(LIMIT_HEADINGS, [limit_row(each) for each in page["items"]])
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="show")
@client_command
def show_limit(
    limit: LimitName,
    /,
    *,
    namespace: str | None = None,
    keys: int = 20,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Show a limit, and how its keys stand: what holds them, what waits, and when the next run may start.

    Parameters
    ----------
    limit
        Name or id of the limit.
    namespace
        Namespace of the name.
    keys
        How many keys to show, those with most waiting runs first.
    """
    if not 1 <= keys <= 200:
        raise UsageError(f"--keys must be from 1 to 200, not {keys}.")
    with options.session() as session:
        shown = session.api.get("limits", limit, namespace=namespace)
        uses = session.api.get("limits", limit, "keys", namespace=namespace, limit=keys)["items"]
        if session.output.is_json:
            session.output.json({**shown, "keys": uses})
            return ExitCode.OK
        session.output.fields(limit_fields(shown))
        if uses:
            session.output.raw("\n")
            session.output.table(KEY_HEADINGS, [key_row(shown, use) for use in uses])
        else:
            session.output.note("Nothing runs or waits that needs it.")
        return ExitCode.OK


@app.command(name="update")
@client_command
def update_limit(
    limit: LimitName,
    /,
    *,
    dry_run: Annotated[bool, _NO] = False,
    no_concurrent: Annotated[bool, _NO] = False,
    no_rate: Annotated[bool, _NO] = False,
    no_burst: Annotated[bool, _NO] = False,
    no_key: Annotated[bool, _NO] = False,
    flags: LimitFlags = _NO_FLAGS,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Change what is named in the flags and leave the rest. No run starts under the former numbers afterwards.

    Parameters
    ----------
    limit
        Name or id of the limit.
    dry_run
        Only say what would change, or what is wrong with it.
    no_concurrent
        Let any number of runs run at once.
    no_rate
        Let runs start as often as they like.
    no_burst
        Let as many start together as the rate says.
    no_key
        Count all runs together.
    """
    body = flags.fields()
    removals = {"concurrent": no_concurrent, "rate": no_rate, "burst": no_burst, "key": no_key}
    for field in (field for field, taken in removals.items() if taken):
        if field in body:
            raise UsageError(f"--no-{field} contradicts --{field}. Give one of them.")
        body[field] = None
    if not body:
        raise UsageError("Nothing to change: name a flag, such as --concurrent or --rate.")
    with options.session() as session:
        if dry_run:
            return dry_run_update(session, limit, flags.namespace, body)
        _show(session, session.api.patch("limits", limit, body=body, namespace=flags.namespace))
        return ExitCode.OK


@app.command(name="delete", alias="rm")
@client_command
def delete_limit(
    limit: LimitName,
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative=())] = False,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Delete a limit that no task uses.

    Parameters
    ----------
    limit
        Name or id of the limit.
    yes
        Do not ask.
    namespace
        Namespace of the name.
    """
    with options.session() as session:
        if not yes and not confirmed(f"Delete limit '{limit}'?", "Deleting a limit"):
            session.output.note("Nothing was deleted.")
            return ExitCode.FAILURE
        deleted = session.api.delete("limits", limit, namespace=namespace)
        if session.output.is_json:
            session.output.json(deleted)
        else:
            session.output.note(f"Limit '{deleted['name']}' is deleted; its name is free again.")
        return ExitCode.OK


def _show(session: Session, limit: dict[str, Any]) -> None:
    if session.output.is_json:
        session.output.json(limit)
    else:
        session.output.fields(limit_fields(limit))
