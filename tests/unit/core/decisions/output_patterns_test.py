"""Which regular expressions the output of a failed run may be fitted to."""

import pytest

from scheduler_core.decisions.output_patterns import is_in_output, pattern_problem


@pytest.mark.parametrize(
    "pattern",
    ["connection (reset|refused)", r"ORA-\d{4,5}\b", "(?i)lock.*timeout", "^try again$", "(ab){3}", ".*a.*"],
)
def test_core_unit_pattern_problem_lets_usual_patterns_pass(pattern: str) -> None:
    """What people look for in an error's last lines can be used."""
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "has 0 characters"),
        ("x" * 201, "has 201 characters"),
        ("(", "is no regular expression"),
        ("(a+)+b", "repeats something"),
        ("(a|aa)*b", "repeats something"),
        ("(a?){30}b", "repeats something"),
        ("((a*)b?)*c", "repeats something"),
        (r"(a)\1", "refers back"),
        (".*a.*b.*c", "more than 2 repetitions"),
        ("a{1,50}b{2,}c*", "more than 2 repetitions"),
        ("a?" * 30 + "a" * 30, "multiply to too many ways"),
        (".{0,20}" * 5 + "!", "multiply to too many ways"),
        ("(|)" * 30 + "!", "multiply to too many ways"),
    ],
)
def test_core_unit_pattern_problem_names_what_may_take_for_ever(pattern: str, words: str) -> None:
    """A pattern that cannot be read, or whose matching grows beyond all bounds, is refused with the reason."""
    assert words in (pattern_problem(pattern) or "")


def test_core_unit_is_in_output_looks_at_each_line() -> None:
    """A pattern fits a part of one line, and never what two lines make together or what stands far to the right."""
    output = "first\ndisk full\n" + "x" * 400 + "late"

    found = [is_in_output([pattern], output) for pattern in ("disk", "^full", "first.disk", "late", "^disk full$")]

    assert found == [True, False, False, False, True]
