"""The oracle against cases written by hand, and the schedule code against the oracle."""

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.rrule import rrulestr

from benchmarks.dst_sweep import Work, changes_of, compare
from fixtures.schedule_oracle import oracle_slots
from scheduler_core.decisions.schedule_rules import slots_between
from scheduler_core.models import OnGap, OnOverlap, Schedule


def slots_of(schedule: Schedule, night: str) -> list[str]:
    """The day and time of each slot in UTC, for the 24 hours from noon UTC before to noon UTC of the date `night`."""
    noon = datetime.fromisoformat(f"{night}T12:00+00:00")
    before = noon.replace(day=noon.day - 1)
    return [f"{slot:%d %H:%M:%S}".removesuffix(":00") for slot in oracle_slots(schedule, before, noon)]


# As `man 8 cron` of Debian says: jobs that the spring change leaves out run at once after it, none runs twice in
# autumn, and jobs with a star in minute or hour follow elapsed time.
@pytest.mark.parametrize(
    ("zone", "night", "cron", "expected"),
    [
        # Berlin, 2026-03-29: from 02:00 (+01) to 03:00 (+02), at 01:00 UTC.
        ("Europe/Berlin", "2026-03-29", "30 2 * * *", ["29 01:00"]),
        ("Europe/Berlin", "2026-03-29", "0 2,3 * * *", ["29 01:00"]),
        ("Europe/Berlin", "2026-03-29", "59 1 * * *", ["29 00:59"]),
        ("Europe/Berlin", "2026-03-29", "0 3 * * *", ["29 01:00"]),
        ("Europe/Berlin", "2026-03-29", "0,30 1-3 * * *", ["29 00:00", "29 00:30", "29 01:00", "29 01:30"]),
        ("Europe/Berlin", "2026-03-29", "*/30 2 * * *", []),
        ("Europe/Berlin", "2026-03-29", "15 */2 * * *",
         ["28 13:15", "28 15:15", "28 17:15", "28 19:15", "28 21:15", "28 23:15",
          "29 02:15", "29 04:15", "29 06:15", "29 08:15", "29 10:15"]),
        ("Europe/Berlin", "2026-03-29", "15,45 30 2 * * *", ["29 01:00"]),
        ("Europe/Berlin", "2026-03-29", "0 12 * * SUN#5", ["29 10:00"]),
        ("Europe/Berlin", "2026-03-29", "0 12 * * SUN#4", []),
        ("Europe/Berlin", "2026-03-29", "0 12 L * *", []),
        ("Europe/Berlin", "2026-03-29", "30 2 * MAR 7L", ["29 01:00"]),
        # Berlin, 2026-10-25: from 03:00 (+02) back to 02:00 (+01), at 01:00 UTC.
        ("Europe/Berlin", "2026-10-25", "30 2 * * *", ["25 00:30"]),
        ("Europe/Berlin", "2026-10-25", "0 3 * * *", ["25 02:00"]),
        ("Europe/Berlin", "2026-10-25", "0 2 * * *", ["25 00:00"]),
        ("Europe/Berlin", "2026-10-25", "*/30 2 * * *", ["25 00:00", "25 00:30", "25 01:00", "25 01:30"]),
        ("Europe/Berlin", "2026-10-25", "10 30 2 * * *", ["25 00:30:10"]),
        # New York, 2026-03-08: from 02:00 (-05) to 03:00 (-04), at 07:00 UTC; 2026-11-01: back at 06:00 UTC.
        ("America/New_York", "2026-03-08", "30 2 * * *", ["08 07:00"]),
        ("America/New_York", "2026-03-08", "30 1,2,3 * * *", ["08 06:30", "08 07:00", "08 07:30"]),
        ("America/New_York", "2026-11-02", "30 1 * * *", ["02 06:30"]),
        ("America/New_York", "2026-10-26", "0 0 * * 1-5", ["26 04:00"]),
        # Lord Howe, 2026-10-04: from 02:00 (+10:30) to 02:30 (+11), at 15:30 UTC of the 3rd.
        ("Australia/Lord_Howe", "2026-10-04", "0 2 * * *", ["03 15:30"]),
        ("Australia/Lord_Howe", "2026-10-04", "15,30,45 2 * * *", ["03 15:30", "03 15:45"]),
        ("Australia/Lord_Howe", "2026-10-04", "*/15 2 * * *", ["03 15:30", "03 15:45"]),
        # Lord Howe, 2026-04-05: from 02:00 (+11) back to 01:30 (+10:30), at 15:00 UTC of the 4th.
        ("Australia/Lord_Howe", "2026-04-05", "45 1 * * *", ["04 14:45"]),
        ("Australia/Lord_Howe", "2026-04-05", "*/15 1 * * *",
         ["04 14:00", "04 14:15", "04 14:30", "04 14:45", "04 15:00", "04 15:15"]),
        ("UTC", "2026-02-28", "0 0 L * *", ["28 00:00"]),
        ("UTC", "2026-02-27", "0 0 LW * *", ["27 00:00"]),
        ("UTC", "2026-02-28", "0 0 LW * *", []),
        ("UTC", "2026-02-13", "0 6 13 * FRI", ["13 06:00"]),  # either of the two days
        ("UTC", "2026-02-20", "0 6 13 * FRI", ["20 06:00"]),
        ("UTC", "2026-02-20", "0 6 */13 * FRI", []),  # a star: both
        ("UTC", "2026-02-27", "0 6 */13 * FRI", ["27 06:00"]),
    ],
)  # fmt: skip
def test_oracle_gives_what_debian_promises(zone: str, night: str, cron: str, expected: list[str]) -> None:
    """Without rules of its own a schedule meets clock changes as Debian's cron does."""
    assert slots_of(Schedule(cron=cron, timezone=zone), night) == expected


@pytest.mark.parametrize("cron", ["30 2 * * *", "*/30 2 * * *"])
def test_oracle_follows_the_rules_of_a_gap(cron: str) -> None:
    """What the schedule says counts, whatever its cron text begins with."""
    berlin = Schedule(cron=cron, timezone="Europe/Berlin")
    assert slots_of(_with(berlin, OnGap.RUN_AFTER, None), "2026-03-29") == ["29 01:00"]
    assert slots_of(_with(berlin, OnGap.SKIP, None), "2026-03-29") == []


def test_oracle_follows_the_rules_of_an_overlap() -> None:
    """A time shown twice is due the first time, the second time, or both."""
    berlin = Schedule(cron="0,30 2 * * *", timezone="Europe/Berlin")
    first, second = ["25 00:00", "25 00:30"], ["25 01:00", "25 01:30"]
    assert slots_of(_with(berlin, None, OnOverlap.FIRST), "2026-10-25") == first
    assert slots_of(_with(berlin, None, OnOverlap.SECOND), "2026-10-25") == second
    assert slots_of(_with(berlin, None, OnOverlap.BOTH), "2026-10-25") == first + second


def _with(schedule: Schedule, on_gap: OnGap | None, on_overlap: OnOverlap | None) -> Schedule:
    return Schedule(cron=schedule.cron, timezone=schedule.timezone, on_gap=on_gap, on_overlap=on_overlap)


def test_oracle_excludes_the_beginning_and_includes_the_end() -> None:
    """The stretch is open where it begins and closed where it ends."""
    one, two = (datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (1, 2))
    assert oracle_slots(Schedule(cron="0 * * * *"), one, two) == [two]


@pytest.mark.parametrize(
    "zone",
    ["Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Antarctica/Troll", "Asia/Gaza"],
)
def test_slots_around_changes_are_those_of_the_oracle(zone: str) -> None:
    """A sample of `make dst-sweep`: all its shapes under all rules, about the first two changes of a zone."""
    for change in changes_of(zone)[:2]:
        moment, half_a_day = datetime.fromtimestamp(change.second, UTC), timedelta(hours=12)
        outcome = compare(Work((zone,), moment - half_a_day, moment + half_a_day, is_full=False))
        assert outcome.differences == []
        assert outcome.slots > 10_000


def test_a_difference_is_found() -> None:
    """The comparison notices when the code is asked about a zone whose clocks do something else."""
    moment = datetime.fromtimestamp(changes_of("Europe/Berlin")[0].second, UTC)
    zones = ("Europe/Berlin", "Asia/Tokyo")
    outcome = compare(Work(zones, moment - timedelta(hours=3), moment + timedelta(hours=3), is_full=False))
    assert {difference.schedule.timezone for difference in outcome.differences} == {"Asia/Tokyo"}


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;INTERVAL=1000",
        "FREQ=MINUTELY;INTERVAL=90",
        "FREQ=MINUTELY;INTERVAL=7;BYHOUR=1,2",
        "FREQ=MINUTELY;INTERVAL=20;BYSECOND=0,30",
        "FREQ=HOURLY;BYMINUTE=0,30",
        "FREQ=HOURLY;INTERVAL=6;BYMINUTE=15;BYSECOND=5,10",
        "FREQ=HOURLY;BYDAY=SU;BYHOUR=1,2",
        "FREQ=HOURLY;INTERVAL=5;BYMONTH=3",
        "FREQ=DAILY;BYHOUR=2;BYMINUTE=30",
        "FREQ=DAILY;INTERVAL=3;BYHOUR=2,9",
        "FREQ=DAILY;BYMONTH=3;BYDAY=SU",
        "FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=0,20;BYSETPOS=1,-1",
        "FREQ=DAILY;COUNT=17;INTERVAL=2",
        "FREQ=DAILY;UNTIL=20240711T020000;BYHOUR=2",
        "FREQ=WEEKLY",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;BYHOUR=2;BYMINUTE=30",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,SU;WKST=SU;BYHOUR=2",
        "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR;BYSETPOS=-1",
        "FREQ=WEEKLY;INTERVAL=3;BYMONTH=3,4",
        "FREQ=MONTHLY;INTERVAL=5",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=-1;BYHOUR=1",
        "FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=SU;BYMONTHDAY=1,2,3,4,5,6,7",
        "FREQ=YEARLY;INTERVAL=2",
        "FREQ=YEARLY;BYHOUR=3,4",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYWEEKNO=13;BYDAY=SU",
        "FREQ=YEARLY;BYWEEKNO=1,53;BYDAY=MO,FR",
        "FREQ=YEARLY;BYYEARDAY=1,100,-1",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYMONTH=1,12;BYDAY=1MO,-1MO;BYSETPOS=1",
        "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU;BYHOUR=2;BYMINUTE=30",
    ],
)
@pytest.mark.parametrize("start", ["20240131T012005", "20240314T023000"])
def test_recurrences_are_those_that_dateutil_walks(rule: str, start: str) -> None:
    """Without a change of clocks a recurrence is what dateutil gives, early and late, however it is computed here."""
    text = f"DTSTART:{start} RRULE:{rule}"
    for after, until in (
        (datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 9, 1, tzinfo=UTC)),
        (datetime(2027, 2, 17, 3, 7, tzinfo=UTC), datetime(2027, 4, 5, 4, 4, tzinfo=UTC)),
    ):
        walked = rrulestr(text).between(after.replace(tzinfo=None), until.replace(tzinfo=None))
        slots = slots_between(Schedule(rrule=text), after, until - timedelta(seconds=1))
        assert list(slots) == [slot.replace(tzinfo=UTC) for slot in walked]
