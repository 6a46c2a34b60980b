"""Which regular expressions the output of a failed run may be fitted to."""

import pytest

from scheduler_core.decisions.output_patterns import SIZE_MAX, is_in_output, pattern_problem, pattern_size


@pytest.mark.parametrize(
    "pattern",
    [
        "connection (reset|refused)", r"ORA-\d{4,5}\b", r"ORA-\d+", "(?i)lock.*wait.*timeout", "^try again$", "(ab){3}",
        ".*timeout.*", "^ERROR .* retry", "(a+)+b", ".*.*[xy]", "a?" * 90 + "[xy]",
    ],
)  # fmt: skip
def test_core_unit_pattern_problem_lets_usual_patterns_pass(pattern: str) -> None:
    """What people look for in an error's last lines can be used, however many ways there are to fit it."""
    assert pattern_problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "has 0 characters"),
        ("x" * 201, "has 201 characters"),
        ("(", "is no regular expression"),
        ("(?L)a", "is no regular expression"),
        (r"(a)\1", "refers back"),
        ("(a)?(?(1)b|c)", "refers back"),
        ("a(?=b)", "looks ahead or back"),
        ("(?<!a)b", "looks ahead or back"),
        ("a++b", "keeps what it has taken"),
        ("(?>a|ab)c", "keeps what it has taken"),
        ("(a{30}){30}", "has more than 500 elements"),
        ("a{4000000000}", "has more than 500 elements"),
        ("((((){400}){400}){400}){400}", "has more than 500 elements"),
    ],
)
def test_core_unit_pattern_problem_names_what_cannot_be_bounded(pattern: str, words: str) -> None:
    """A pattern that cannot be read, or whose matching costs too much or cannot be bounded, is refused with why."""
    assert words in (pattern_problem(pattern) or "")


@pytest.mark.parametrize("pattern", ["a?" * 90 + "[xy]", ".*.*" + r"\w" * 20 + "[xy]", "(a+)+[xy]", "(a|aa)*[xy]"])
def test_core_unit_is_in_output_ends_with_patterns_that_fit_in_endless_ways(pattern: str) -> None:
    """No pattern that is accepted keeps the caller: each character is looked at once, whatever it may belong to."""
    output = "\n".join(["a" * 300] * 13)

    assert [is_in_output([pattern], output), is_in_output([pattern], output + "x")] == [False, True]


def test_core_unit_pattern_size_counts_what_has_alternatives() -> None:
    """A text without any counts as one, so that a task may look for many of them."""
    assert [pattern_size(text) for text in ("connection reset", ".*", "a{3}")] == [1, 2, 1]
    assert pattern_size(".{0,20}" * 12) <= SIZE_MAX


def test_core_unit_is_in_output_looks_at_each_line() -> None:
    """A pattern fits a part of one line, and never what two lines make together or what stands far before the end."""
    output = "early\n" + "x" * 4097 + "\nfirst\ndisk full"

    found = [is_in_output([text], output) for text in ("disk", "^full", "first.disk", "x$", "early", "^disk full$")]

    assert found == [True, False, False, True, False, True]
