"""The diagram of docs/state_machine.md is the transition table of the code."""

import re

from fixtures.documentation import ROOT, blocks_of
from scheduler_core.models import task_run
from scheduler_core.models.task_run import TaskRunStatus

PAGE = ROOT / "docs/state_machine.md"
_ARROW = re.compile(r"^\s*(\S+) --> (\S+?)(?::.*)?$", re.MULTILINE)


def _arrows() -> list[tuple[str, str]]:
    (diagram,) = [block for block in blocks_of(PAGE) if block.language == "mermaid"]
    return _ARROW.findall(diagram.text)


def test_state_machine_page_draws_exactly_the_legal_moves() -> None:
    """Every arrow between two statuses is a legal move, every legal move is drawn, and none twice."""
    drawn = [arrow for arrow in _arrows() if "[*]" not in arrow]
    legal = {(source.value, target.value) for source, targets in task_run.TRANSITIONS.items() for target in targets}
    assert len(drawn) == len(set(drawn))
    assert set(drawn) == legal


def test_state_machine_page_ends_in_the_final_statuses() -> None:
    """The diagram begins where runs are born, and what it marks as an end is final."""
    assert {target for source, target in _arrows() if source == "[*]"} == {"PENDING", "DISPATCHED"}
    assert {source for source, target in _arrows() if target == "[*]"} == set(task_run.FINAL_STATUSES)


def test_state_machine_page_explains_every_status() -> None:
    """Each status has a row that says what it means."""
    rows = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(TaskRunStatus)
