"""`scheduler ledger …`: what became of every due instant, and whether that account is complete."""

from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from scheduler_api.client.client_error import NothingFoundError, UsageError
from scheduler_api.client.client_options import DEFAULT_OPTIONS, ClientOptions, Session, client_command
from scheduler_api.client.ledger_totals import LedgerTotals
from scheduler_api.client.ledger_view import (
    ENTRY_HEADINGS,
    FINDING_HEADINGS,
    entry_row,
    finding_row,
    notes_on,
    summary_line,
)
from scheduler_api.client.listing import fetch_list, note_rest
from scheduler_api.client.task_name_completion import complete_task_names
from scheduler_api.client.time_range import parse_moment
from scheduler_core.errors import Problem
from scheduler_core.runtime.exit_code import ExitCode

app = App(name="ledger", help="Account for every due instant.")

_From = Annotated[str | None, Parameter(name="--from", allow_leading_hyphen=True)]
_To = Annotated[str | None, Parameter(name="--to", allow_leading_hyphen=True)]

_TASKS_A_REQUEST = 100


@app.command(name="show")
@client_command
def show_ledger(
    task: Annotated[str, Parameter(completer=complete_task_names)],
    /,
    *,
    start: _From = None,
    end: _To = None,
    namespace: str | None = None,
    limit: int = 50,
    every: Annotated[bool, Parameter(name=["--all", "-a"], negative=())] = False,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Show what became of a task's slots: a run, or the reason why there is none. Without a range, of the last ones.

    Parameters
    ----------
    task
        Name or id of the task.
    start
        Only slots from then on: 2027-01-31, 2027-01-31T09:00:00Z, now, today or -2h.
    end
        Only slots before then.
    namespace
        Namespace of the task's name.
    limit
        How many entries to show.
    every
        Show all of them, page after page.
    """
    moments = _moments(start, end)
    with options.session() as session:
        newest = {} if every or "from" in moments else {"newest": "true"}
        page = fetch_list(
            session, "tasks", task, "slots", limit=limit, every=every, namespace=namespace, **moments, **newest
        )
        if session.output.is_json:
            session.output.json(page)
            return ExitCode.OK
        if not page["items"]:
            session.output.note(
                f"No slots are recorded there. `scheduler task show {task}` tells when the next is due."
            )
            return ExitCode.OK
        session.output.table(ENTRY_HEADINGS, [entry_row(entry) for entry in page["items"]])
        if newest and len(page["items"]) == limit:
            session.output.note("Earlier ones: name where to begin with --from, or see all with --all.")
        note_rest(session, page)
        return ExitCode.OK


@app.command(name="verify")
@client_command
def verify_ledger(
    *,
    start: _From = None,
    end: _To = None,
    namespace: str | None = None,
    options: ClientOptions = DEFAULT_OPTIONS,
) -> int:
    """Recompute all slots of all tasks, deleted ones too, and name every hole, double and stranger in the ledger.

    Exit codes: 0 every slot is recorded once, 1 something is wrong, 6 the server does not answer.

    Parameters
    ----------
    start
        Only slots from then on: 2027-01-31, 2027-01-31T09:00:00Z, now, today or -2h.
    end
        Only slots before then.
    namespace
        Only tasks of this namespace.
    """
    moments = _moments(start, end)
    with options.session() as session:
        totals = _verify(session, namespace, moments)
        if namespace is not None and not totals.tasks:
            # A name that is misspelt would be told as clean for ever.
            raise NothingFoundError(
                f"No task of namespace '{namespace}' has a schedule or a ledger. Correct --namespace, or leave it out."
            )
        if session.output.is_json:
            session.output.json(totals.document(moments.get("from")))
        else:
            findings = [finding_row(item, finding) for item in totals.items for finding in item["findings"]]
            if findings:
                session.output.table(FINDING_HEADINGS, findings)
                session.output.flush()
            for note in notes_on(totals):
                session.output.note(note)
            session.output.fields([("Ledger", summary_line(totals))])
        return ExitCode.OK if totals.is_clean else ExitCode.FAILURE


def _verify(session: Session, namespace: str | None, moments: dict[str, str]) -> LedgerTotals:
    totals = LedgerTotals()
    with session.output.progress("Verifying the ledger") as progress:
        for page in session.api.pages("ledger", "verification", limit=_TASKS_A_REQUEST, namespace=namespace, **moments):
            totals.add(page)
            progress.say(f"Verifying the ledger: {totals.tasks} tasks, {totals.slots} slots so far")
    return totals


def _moments(start: str | None, end: str | None) -> dict[str, str]:
    """The query that --from and --to make; raises UsageError naming the flag, its value and the remedy."""
    now = datetime.now(UTC)
    found: dict[str, datetime] = {}
    problems = []
    for name, text in (("from", start), ("to", end)):
        try:
            if text is not None:
                found[name] = parse_moment(text, now)
        except ValueError as error:
            problems.append(Problem(f"--{name}", str(error)))
    if len(found) == 2 and found["from"] >= found["to"]:
        problems.append(Problem("--from", f"'{start}' is not before --to '{end}'. Give a --to that is later."))
    if problems:
        raise UsageError(problems)
    return {name: moment.isoformat() for name, moment in found.items()}
