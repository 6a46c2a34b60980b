"""Cron texts: what is refused and why, what is accepted, and what H draws."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.cron_oracle import CronFields
from scheduler_core.decisions.cron_pattern import cron_problem, is_hashed, parse_cron

DAY = 86_400


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("61 * * * *", "The minute field '61'"),
        ("* 24 * * *", "The hour field '24'"),
        ("* * 32 * *", "The day of month field '32'"),
        ("* * * 13 *", "The month field '13'"),
        ("* * * * 8", "The day of week field '8'"),
        ("60 * * * * *", "The second field '60'"),
        ("*/0 * * * *", "The minute field '*/0'"),
        ("5-1 * * * *", "The minute field '5-1'"),
        ("a b * * *", "The minute field 'a'"),
        ("a b * * *", "The hour field 'b'"),
        ("* * 15W * *", "nearest weekday (W)"),
        ("* * ? * *", "Write * instead of ?"),
        ("0 0 31 2 *", "day of month '31' does not exist in month '2'"),
        ("0 0 30,31 FEB *", "day of month '30,31' does not exist in month 'FEB'"),
        ("0 0 1 1 * * 2027", "years are not supported"),
        ("* * * *", "has 4 fields"),
        ("", "is empty"),
        ("   ", "is empty"),
        ("@dayly", "Did you mean @daily?"),
        ("@reboot", "is not known"),
        ("CRON_TZ=UTC 0 3 * * *", "timezone"),
        (f"{'9' * 900} * * * *", "The minute field"),
        ("*," * 600 + "* * * * *", "at most 1000"),
        ("²L * * * *", "The minute field"),
        ("* * * * ²L", "The day of week field"),
        ("H(5-1) * * * *", "The minute field 'H(5-1)'"),
        ("H(0-99) * * * *", "The minute field 'H(0-99)'"),
        ("H/0 * * * *", "The minute field 'H/0'"),
        ("H/61 * * * *", "The minute field 'H/61'"),
        ("0-H * * * *", "The minute field '0-H'"),
        ("0 0 H(30-31) 2 *", "day of month 'H(30-31)' does not exist in month '2'"),
    ],
)
def test_cron_problem_names_the_bad_field(cron: str, told: str) -> None:
    """A refusal names the offending field and its value, or the remedy."""
    problem = cron_problem(cron)
    assert problem is not None
    assert told in problem


@pytest.mark.parametrize(
    "cron",
    ["*/5 * * * *", "0 0 9 * * MON-FRI", "0 0 L * *", "0 0 LW * *", "0 0 * * 5L", "0 0 * * MON#2", "0 0 29 2 *",
     "@daily", " @Hourly ", "@midnight", "@weekly", "@monthly", "@yearly", "@annually", "0 0 * 2 MON#5", "0\t0 * * 7",
     "H H * * *", "H/15 H(1-5) H * H", "h h(0-3) * jan mon", "H H H(0-3) * * *"],
)  # fmt: skip
def test_cron_problem_accepts_what_cron_knows(cron: str) -> None:
    """Five fields, six with seconds first, aliases, L, LW, 5L, MON#2 and H are accepted, and they come due."""
    assert cron_problem(cron) is None
    assert next(parse_cron(cron).batches(0, 50 * 366 * DAY), None) is not None


@pytest.mark.parametrize(
    "cron", ["H * * * *", "H(50-99) * * * *", "0 H(20-30) * * *", "0 0 31 H *", "0 0 H(29-31) 2 *", "0 0 30 H(1-2) *"]
)
def test_cron_problem_speaks_for_every_seed(cron: str) -> None:
    """What is accepted comes due whatever H draws; a task is never refused for its name."""
    if cron_problem(cron) is None:
        for seed in range(100):
            assert next(parse_cron(cron, seed).batches(0, 50 * 366 * DAY), None) is not None


@settings(max_examples=30, deadline=None)
@given(
    cron=st.sampled_from(["H H * * *", "H/15 H(1-5) H * *", "H(10-40)/7,3 * * H *", "0 0 * * H", "H H/2 H(0-3) * * *"]),
    seed=st.integers(0, 2**31 - 1),
)
def test_h_draws_what_its_definition_says(cron: str, seed: int) -> None:
    """A year's times are those of the hash of seed and field, which the oracle computes by itself."""
    fields = CronFields(cron, seed)
    first = next(parse_cron(cron, seed).batches(0, 366 * DAY))
    assert first.first // DAY == next(
        day for day in range(366) if fields.has_day(date(1970, 1, 1) + timedelta(days=day))
    )
    assert [second % DAY for second in first.seconds()] == [time for time in range(DAY) if fields.has_time(time)]


def test_h_spreads_tasks_over_its_field() -> None:
    """A thousand tasks of the same text use every minute, and no minute carries many of them."""
    minutes = [next(parse_cron("H 3 * * *", seed).batches(0, DAY)).first // 60 % 60 for seed in range(1000)]
    counts = [minutes.count(minute) for minute in range(60)]
    assert min(counts) > 0
    assert max(counts) < 40


@pytest.mark.parametrize(
    ("cron", "hashed"),
    [("H * * * *", True), ("0 0 * * THU", False), ("1,H/20 * * * *", True), ("@hourly", False), ("0 h * * *", True)],
)
def test_is_hashed_knows_h_from_letters(cron: str, hashed: bool) -> None:
    """Only H as a value of its own makes a text depend on the task."""
    assert is_hashed(cron) is hashed
