"""`scheduler config reload`: what every process here makes of the configuration as it is now."""

import os
import signal
import time
from typing import Annotated, Any

from cyclopts import Parameter

from scheduler_core.config import find_state_dir
from scheduler_core.errors import ConfigError
from scheduler_core.runtime.console import complain, say, warn, write_json, write_table
from scheduler_core.runtime.exit_code import ExitCode
from scheduler_core.runtime.output_option import Output
from scheduler_core.runtime.process_folder import ProcessFolder, ProcessRecord
from scheduler_core.runtime.reload_answer import ReloadAnswer

_PAUSE_SECONDS = 0.05
_PROGRESS_SECONDS = 3.0
_COLUMNS = ("process", "setting", "old", "new", "outcome")


def reload(
    *,
    wait: Annotated[float, Parameter(help="How many seconds to wait for the processes' answers.")] = 30.0,
    output: Output = "table",
) -> int:
    """Let the Scheduler processes of this host and state directory read their configuration again.

    Shows what each of them made of it. The exit code is 0 when all have read it, 1 when one did not answer, 2 when one
    refused it, 3 when there is none.
    """
    if wait <= 0:
        raise ConfigError(f"--wait cannot be {wait:g}: it is a number of seconds above 0.")
    state_dir = find_state_dir()
    folder = ProcessFolder(state_dir)
    try:
        records = folder.records()
        if not records:
            if output == "json":
                write_json([])
            complain(
                f"No Scheduler process runs here for the state directory {state_dir}. Set SCHEDULER_STATE_DIR to "
                "theirs; on another host, send SIGHUP there."
            )
            return ExitCode.NOT_FOUND
        answers = _Answers(folder, records, wait)
        answers.collect()
    except PermissionError as error:
        raise ConfigError(
            f"{folder.path} belongs to the user who runs Scheduler, and uid {os.geteuid()} is another one "
            f"({error.strerror}). Run this command as that user."
        ) from error
    if output == "json":
        write_json([_document(record, answers) for record in records])
    else:
        write_table(_COLUMNS, [row for record in records for row in _rows(record, answers)])
    return _tell(records, answers)


class _Answers:
    """What the processes have answered, or why they have not, by record."""

    def __init__(self, folder: ProcessFolder, records: list[ProcessRecord], wait_seconds: float) -> None:
        self._folder = folder
        self._records = records
        self._wait_seconds = wait_seconds
        self.given: dict[ProcessRecord, ReloadAnswer] = {}
        self.missing: dict[ProcessRecord, str] = {}

    def collect(self) -> None:
        """Ask all, then wait for all together."""
        asked = {record: self._folder.ask(record) for record in self._records if self._can_be_asked(record)}
        for record in asked:
            try:
                os.kill(record.process.pid, signal.SIGHUP)
            except ProcessLookupError:
                self.missing[record] = "it has ended meanwhile"
        begun = told = time.monotonic()
        try:
            while waiting := [record for record in asked if not self._is_settled(record, asked[record])]:
                now = time.monotonic()
                if now > begun + self._wait_seconds:
                    late = f"no answer within {self._wait_seconds:g} s; its log may say more"
                    self.missing.update(dict.fromkeys(waiting, late))
                elif now > told + _PROGRESS_SECONDS:
                    told = now
                    say(f"Waiting for {', '.join(name_of(record) for record in waiting)}.")
                time.sleep(_PAUSE_SECONDS)
        finally:
            for record, token in asked.items():
                self._folder.forget(record, token)

    def _can_be_asked(self, record: ProcessRecord) -> bool:
        if not record.is_here:
            self.missing[record] = f"it runs elsewhere ({record.process.hostname}); send SIGHUP there"
        elif not record.hears_hangup:
            self.missing[record] = "it was started to ignore SIGHUP, as nohup does; restart it"
        return record not in self.missing

    def _is_settled(self, record: ProcessRecord, token: str) -> bool:
        if record in self.missing or record in self.given:
            return True
        lived = self._folder.lives(record)
        answer = self._folder.take_answer(record, token)
        if answer is not None:
            self.given[record] = answer
        elif not lived:
            self.missing[record] = "it has ended meanwhile"
        return answer is not None or not lived


def name_of(record: ProcessRecord) -> str:
    """A process as people see it."""
    return f"{record.process.pid} ({', '.join(record.components)})"


def _rows(record: ProcessRecord, answers: _Answers) -> list[list[Any]]:
    name, answer = name_of(record), answers.given.get(record)
    if answer is None:
        return [[name, "", "", "", "no answer"]]
    if answer.refusal:
        return [[name, "", "", "", "refused"]]
    rows = [[name, key.key, key.old, key.new, key.outcome] for key in answer.keys]
    return rows or [[name, "", "", "", "nothing changed"]]


def _document(record: ProcessRecord, answers: _Answers) -> dict[str, Any]:
    answer = answers.given.get(record)
    keys = [] if answer is None else answer.keys
    return {
        "pid": record.process.pid,
        "hostname": record.process.hostname,
        "components": list(record.components),
        "outcome": "no answer" if answer is None else "refused" if answer.refusal else "reloaded",
        "problem": answers.missing.get(record) if answer is None else answer.refusal or None,
        "settings": [{"key": key.key, "old": key.old, "new": key.new, "outcome": key.outcome} for key in keys],
    }


def _tell(records: list[ProcessRecord], answers: _Answers) -> ExitCode:
    refused = [record for record in records if record in answers.given and answers.given[record].refusal]
    for refusal in dict.fromkeys(answers.given[record].refusal for record in refused):
        names = [name_of(record) for record in refused if answers.given[record].refusal == refusal]
        complain(f"Refused by {', '.join(names)}, which go{'es' if len(names) == 1 else ''} on as before: {refusal}")
    for record, reason in answers.missing.items():
        complain(f"{name_of(record)}: {reason}.")
    waiting = {key.key for answer in answers.given.values() for key in answer.keys if key.outcome == "needs restart"}
    if waiting:
        warn(f"Some settings count from the next start on: {', '.join(sorted(waiting))}.")
    if refused:
        return ExitCode.USAGE
    return ExitCode.FAILURE if answers.missing else ExitCode.OK
