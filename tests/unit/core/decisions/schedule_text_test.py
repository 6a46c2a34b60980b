"""The text form of a schedule and the schedule itself say the same."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.duration_text import duration_text, parse_duration
from scheduler_core.decisions.schedule_text import read_schedule_text, schedule_text
from scheduler_core.errors import InvalidInputError
from scheduler_core.models import OnGap, OnOverlap, Schedule

ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"])
TIMES = st.one_of(
    st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1)),
    st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
)
RULES = st.one_of(
    st.fixed_dictionaries({"cron": st.sampled_from(["30 2 * * *", "*/5 * * * * *", "@daily", "H H * * 1-5"])}),
    st.fixed_dictionaries({"every": st.integers(1, 10**7)}),
    st.fixed_dictionaries({"at": TIMES}),
    st.fixed_dictionaries(
        {"rrule": st.sampled_from(["FREQ=DAILY;BYHOUR=9", "DTSTART:20270101T090000 RRULE:FREQ=DAILY"])}
    ),
)
DST = st.fixed_dictionaries(
    {}, optional={"on_gap": st.sampled_from(list(OnGap)), "on_overlap": st.sampled_from(list(OnOverlap))}
)
WHOLE = st.fixed_dictionaries(
    {"timezone": ZONES, "jitter": st.integers(0, 90_000)}, optional={"valid_from": TIMES, "valid_until": TIMES}
)
MEMBERS = st.builds(lambda rule, dst, zone: Schedule(**rule, **dst, timezone=zone), RULES, DST, ZONES)
SCHEDULES = st.one_of(
    st.builds(lambda whole, rule, dst: Schedule(**whole, **rule, **dst), WHOLE, RULES, DST),
    st.builds(lambda whole, delay: Schedule(**whole, after_end=delay), WHOLE, st.integers(1, 10**6)),
    st.builds(
        lambda whole, members: Schedule(**whole, any=tuple(members)), WHOLE, st.lists(MEMBERS, min_size=2, max_size=4)
    ),
)


@given(SCHEDULES)
def test_schedule_text_reads_as_the_same_schedule(schedule: Schedule) -> None:
    """Written and read again, a schedule is what it was."""
    assert read_schedule_text(schedule_text(schedule)) == schedule


@given(st.integers(0, 10**9))
def test_duration_text_reads_as_the_same_length(seconds: int) -> None:
    """Written and read again, a length of time is what it was."""
    assert parse_duration(duration_text(seconds)) == seconds


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("30 2 * * *", Schedule(cron="30 2 * * *")),
        ("CRON_TZ=Europe/Berlin 30 2 * * *", Schedule(cron="30 2 * * *", timezone="Europe/Berlin")),
        ("TZ=Europe/Berlin  @daily", Schedule(cron="@daily", timezone="Europe/Berlin")),
        ("every 90m", Schedule(every=5400)),
        ("after_end 45", Schedule(after_end=45)),
        ("FREQ=DAILY;BYHOUR=9", Schedule(rrule="FREQ=DAILY;BYHOUR=9")),
        ("JITTER=30s 0 * * * *", Schedule(cron="0 * * * *", jitter=30)),
        (
            "CRON_TZ=Europe/Berlin 0 9 * * * | ON_GAP=skip 30 2 * * * | CRON_TZ=UTC every 2h",
            Schedule(
                timezone="Europe/Berlin",
                any=(
                    Schedule(cron="0 9 * * *", timezone="Europe/Berlin"),
                    Schedule(cron="30 2 * * *", timezone="Europe/Berlin", on_gap=OnGap.SKIP),
                    Schedule(every=7200, timezone="UTC"),
                ),
            ),
        ),
    ],
)
def test_read_schedule_text_of_every_kind(text: str, schedule: Schedule) -> None:
    """What people write."""
    assert read_schedule_text(text) == schedule


@pytest.mark.parametrize(
    ("text", "timezone", "part"),
    [
        ("CRON_TZ=Europe/Berlin 0 3 * * *", "UTC", "Two time zones disagree: CRON_TZ=Europe/Berlin and timezone 'UTC'"),
        ("CRONTZ=UTC 0 3 * * *", None, "Did you mean CRON_TZ"),
        ("ON_GAP=later 0 3 * * *", None, "run_after or skip, not 'later'"),
        ("every", None, "such as every 15m"),
        ("every quarter", None, "'quarter' is no length of time"),
        ("at tomorrow", None, "not 'tomorrow'"),
    ],
)
def test_read_schedule_text_refuses(text: str, timezone: str | None, part: str) -> None:
    """The offending part is shown, with what would do."""
    with pytest.raises(InvalidInputError) as refused:
        read_schedule_text(text, timezone)
    assert part in str(refused.value.problems[0].message)


def test_read_schedule_text_takes_the_zone_beside_it() -> None:
    """The zone beside the text counts, and the same zone twice is one."""
    assert read_schedule_text("0 3 * * *", "Asia/Kolkata").timezone == "Asia/Kolkata"
    assert read_schedule_text("CRON_TZ=UTC 0 3 * * *", "UTC").timezone == "UTC"
