"""Every mistake in a schedule is told, with the field and the value."""

from datetime import UTC, datetime

import pytest

from scheduler_core.decisions.schedule_check import check_schedule
from scheduler_core.models import OnGap, PauseWindow, Schedule

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "field", "part"),
    [
        (Schedule(), "schedule", "needs a rule"),
        (Schedule(cron="0 3 * * *", every=60), "schedule", "cron and every"),
        (Schedule(cron="0 0 31 2 *"), "schedule.cron", "day of month '31' does not exist in month '2'"),
        (Schedule(cron="0 0 1 1 * 2027 x"), "schedule.cron", "years are not supported"),
        (Schedule(cron="99 * * * *"), "schedule.cron", "minute field '99'"),
        (Schedule(cron="H(9-3) * * * *"), "schedule.cron", "H(9-3)"),
        (Schedule(cron="H/90 * * * *"), "schedule.cron", "H/90"),
        (Schedule(cron="@dayly"), "schedule.cron", "Did you mean @daily"),
        (Schedule(cron="CRON_TZ=UTC 0 3 * * *"), "schedule.cron", "timezone"),
        (Schedule(cron="0 3 * * *", timezone="Berlin"), "schedule.timezone", "Did you mean Europe/Berlin"),
        (Schedule(cron="0 3 * * *", timezone="localtime"), "schedule.timezone", "no time zone 'localtime'"),
        (Schedule(every=0), "schedule.every", "not 0 seconds"),
        (Schedule(after_end=-5), "schedule.after_end", "not -5 seconds"),
        (Schedule(every=60, on_gap=OnGap.SKIP), "schedule.on_gap", "no effect"),
        (Schedule(at=NOON, on_gap=OnGap.SKIP), "schedule.on_gap", "no effect"),
        (Schedule(rrule="FREQ=DAILY;BYHOUR=25"), "schedule.rrule", "BYHOUR is a list of numbers from 0 to 23"),
        (Schedule(rrule="FREQ=OFTEN"), "schedule.rrule", "not 'OFTEN'"),
        (Schedule(rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "schedule.rrule", "never comes"),
        (Schedule(rrule="FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30"), "schedule.rrule", "never comes"),
        (Schedule(rrule="FREQ=DAILY;BYMONTH=4;BYMONTHDAY=31"), "schedule.rrule", "never comes"),
        (Schedule(rrule="FREQ=DAILY;COUNT=3"), "schedule.rrule", "COUNT needs a beginning"),
        (Schedule(rrule="FREQ=DAILY;UNTIL=20270101T000000Z"), "schedule.rrule", "without Z"),
        (Schedule(rrule="DTSTART;TZID=Europe/Berlin:20270101T000000 RRULE:FREQ=DAILY"), "schedule.rrule", "timezone"),
        (Schedule(rrule="FREQ=WEEKLY;BYDAY=2MO"), "schedule.rrule", "number before a weekday"),
        (Schedule(rrule="FREQ=DAILY;FREQ=WEEKLY"), "schedule.rrule", "given twice"),
        (Schedule(rrule=""), "schedule.rrule", "empty"),
        (Schedule(rrule="FREQ=SECONDLY;INTERVAL=2;BYSECOND=1"), "schedule.rrule", "never comes"),
        (Schedule(rrule="FREQ=MINUTELY;INTERVAL=30;BYHOUR=3;BYMINUTE=10"), "schedule.rrule", "never comes"),
        (
            Schedule(rrule="DTSTART:99990101T000000 RRULE:FREQ=YEARLY"),
            "schedule.rrule",
            "the year 9999 is out of reach",
        ),
        (
            Schedule(rrule="DTSTART:20260101T000000 RRULE:FREQ=YEARLY;COUNT=9999"),
            "schedule.rrule",
            "not reached before the year 9000",
        ),
        (
            Schedule(rrule="FREQ=MONTHLY;BYHOUR=1,2,3,4,5;BYMINUTE=1,2,3,4,5;BYSECOND=1,2,3,4,5;BYSETPOS=1"),
            "schedule.rrule",
            "at most 100 times a day",
        ),
        (
            Schedule(cron="* * * * *", valid_from=NOON, valid_until=NOON.replace(hour=11)),
            "schedule.valid_until",
            "validity is empty",
        ),
        (
            Schedule(cron="0 3 * * *", valid_from=NOON, valid_until=NOON.replace(hour=13)),
            "schedule.valid_until",
            "No slot lies between",
        ),
        (Schedule(cron="* * * * *", jitter=90), "schedule.jitter", "1m30s is longer than the shortest time"),
        (Schedule(cron="0 9,10 * * *", jitter=7200), "schedule.jitter", "1h"),
        (Schedule(every=60, jitter=-1), "schedule.jitter", "-1"),
        (Schedule(any=()), "schedule.any", "not 0"),
        (Schedule(any=(Schedule(cron="x"),)), "schedule.any.0.cron", "1 field"),
        (Schedule(any=(Schedule(after_end=60),)), "schedule.any.0.after_end", "within any"),
        (Schedule(any=(Schedule(every=60, jitter=5),)), "schedule.any.0.jitter", "as a whole"),
        (Schedule(any=(Schedule(every=60, timezone="Mars"),)), "schedule.any.0.timezone", "Mars"),
        (Schedule(cron="* * * * *", pauses=(PauseWindow(),)), "schedule.pauses.0", "either from and until"),
        (Schedule(cron="* * * * *", pauses=(PauseWindow(cron="* * * * *"),)), "schedule.pauses.0.lasts", "missing"),
        (
            Schedule(cron="* * * * *", pauses=(PauseWindow(cron="* * * *", lasts=5),)),
            "schedule.pauses.0.cron",
            "4 fields",
        ),
        (
            Schedule(cron="* * * * *", pauses=(PauseWindow(starts_at=NOON, until=NOON),)),
            "schedule.pauses.0",
            "before it begins",
        ),
        (
            Schedule(cron="* * * * *", pauses=(PauseWindow(cron="0 22 * * *", lasts=86_400),)),
            "schedule.pauses.0.lasts",
            "never over: '0 22 * * *'",
        ),
        (
            Schedule(every=1, jitter=300 * 86_400, valid_from=datetime(2051, 1, 1, tzinfo=UTC)),
            "schedule.jitter",
            "longer than the shortest time",
        ),
        (
            Schedule(cron="* * * * *", pauses=(PauseWindow(starts_at=datetime(1, 1, 1), until=NOON),)),
            "schedule.pauses.0.from",
            "The year 1 is out of reach",
        ),
        (Schedule(cron="* * * * *", pauses=(PauseWindow(starts_at=NOON),)), "schedule.pauses.0.until", "task pause"),
        (Schedule(at=datetime(1900, 1, 1)), "schedule.at", "1900"),
        (
            Schedule(at=datetime(2026, 3, 29, 2, 30), timezone="Europe/Berlin", on_gap=OnGap.SKIP),
            "schedule.at",
            "does not exist in Europe/Berlin",
        ),
    ],
)
def test_check_schedule_tells_what_is_wrong(schedule: Schedule, field: str, part: str) -> None:
    """One mistake gives one problem, at its field, showing the offending part."""
    [problem] = check_schedule(schedule)
    assert problem.field == field
    assert part in problem.message


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(cron="0 0 LW * *", timezone="Asia/Kolkata"),
        Schedule(cron="H H(1-5) * * MON#2"),
        Schedule(cron="0 0 29 2 1"),
        Schedule(every=86_400, jitter=86_400),
        Schedule(after_end=1, valid_until=NOON),
        Schedule(at=NOON),
        Schedule(rrule="DTSTART:20270101T090000 RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=12"),
        Schedule(rrule="FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;BYHOUR=9"),
        Schedule(any=(Schedule(cron="0 9 * * *", on_gap=OnGap.SKIP), Schedule(every=7200)), jitter=60),
    ],
)
def test_check_schedule_accepts(schedule: Schedule) -> None:
    """What can be computed is accepted."""
    assert check_schedule(schedule) == []
