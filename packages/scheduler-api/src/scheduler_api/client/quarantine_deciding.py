"""Decides of several quarantined runs at once: all that are named, or none."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from scheduler_api.client.client_error import ClientError, RefusedError, UsageError
from scheduler_api.client.client_options import ClientOptions, Session
from scheduler_core.errors import QuarantineDecidedError
from scheduler_core.runtime.exit_code import ExitCode

_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


Decision = Mapping[str, Any]


def decide_all(
    options: ClientOptions,
    named: Sequence[int],
    done_word: str,
    act: Callable[[Session, int], Decision],
    show: Callable[[Session, Sequence[Decision]], None],
) -> int:
    """Judge all runs, then `act` on one after another, `show` what came of them, and say it in a sentence.

    Raises RefusedError with every run that cannot be decided, and nothing is done. When one fails later all the same,
    because somebody else was quicker or its flow has not ended, it is told which were done before.
    """
    runs = tuple(dict.fromkeys(named))
    if not runs:
        raise UsageError("Name at least one run by its id; `scheduler quarantine list` shows them.")
    decided: dict[int, Decision] = {}
    with options.session() as session:
        if len(runs) > 1:
            _check(session, runs, done_word)
        try:
            for run in runs:
                decided[run] = act(session, run)
        except (ClientError, KeyboardInterrupt):
            if decided:
                _tell(session, decided, show)
                stopped, *rest = (run for run in runs if run not in decided)
                left = f"; not {done_word}: {', '.join(map(str, rest))}" if rest else ""
                session.output.trouble(f"{_sentence(decided, done_word)} Stopped at run {stopped}{left}.")
            raise
        _tell(session, decided, show)
        if not session.output.is_json:
            session.output.note(_sentence(decided, done_word))
        return ExitCode.OK


def _check(session: Session, runs: Sequence[int], done_word: str) -> None:
    """Raise RefusedError with every run that is not there to be decided."""
    refusals: list[tuple[int, str]] = []
    for run in runs:
        try:
            found = session.api.get("quarantine", run)
        except RefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            refusals.append((_NOT_FOUND, str(error)))
        else:
            if found["decision"] is not None:
                refusals.append((_CONFLICT, str(QuarantineDecidedError(run, found["released_run_id"]))))
    if refusals:
        detail = f"None is {done_word}, because {len(refusals)} of {len(runs)} runs cannot be:"
        errors = [{"field": "", "message": text} for _, text in refusals]
        raise RefusedError(refusals[0][0], {"status": refusals[0][0], "detail": detail, "errors": errors})


def _tell(
    session: Session, decided: Mapping[int, Decision], show: Callable[[Session, Sequence[Decision]], None]
) -> None:
    items = list(decided.values())
    if session.output.is_json:
        session.output.json(items[0] if len(items) == 1 else {"items": items, "next_cursor": None})
    else:
        show(session, items)


def _sentence(decided: Mapping[int, Decision], done_word: str) -> str:
    """Which runs it was done to, and what took the place of each."""
    each = (f"{run} as {made['id']}" if "retry_of" in made else str(run) for run, made in decided.items())
    return f"{done_word.capitalize()}: {', '.join(each)}."
