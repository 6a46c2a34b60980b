"""What runs of a flow say for themselves."""

import pytest

from scheduler_api.client.flow_words import group_words, note_words, skip_words


@pytest.mark.parametrize(
    ("group", "status", "words"),
    [
        ({"kind": "map", "size": None, "by_status": {}}, "PENDING", "map, its runs are not made yet"),
        ({"kind": "map", "size": None, "by_status": {}}, "SKIPPED", "map, no runs were made"),
        ({"kind": "map", "size": 4, "by_status": {"COMPLETED": 1}}, "COMPLETED", "map 4/4, 3 taken over"),
        ({"kind": "map", "size": 4, "by_status": {"RUNNING": 1}}, "PENDING", "map 3/4, 1 running, 3 taken over"),
        ({"kind": "sub_flow", "size": 4, "by_status": {"COMPLETED": 1}}, "PENDING", "sub-flow 1/4"),
    ],
)
def test_api_unit_group_words_count_what_was_taken_over(group: dict[str, object], status: str, words: str) -> None:
    """A group that was run again in part counts the others as ended; a final one without runs gets none any more."""
    assert group_words(group, status) == words


def test_api_unit_notes_are_phrases() -> None:
    """Notes are joined by semicolons, which do not follow a full stop."""
    node = {"status": "FAILED", "error": "exit code 3.", "attempt": 2}
    assert note_words(node) == ["attempt 2", "exit code 3"]


def test_api_unit_skip_words_do_not_deny_failures() -> None:
    """all_failed does not hold with one success among failures."""
    assert skip_words("RULE_UNMET") == "skipped: its rule for failures does not hold"
