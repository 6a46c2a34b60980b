"""Schedules of bodies into values, and back."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler_api.schemas.schedule_input import in_timezone, read_schedule
from scheduler_api.schemas.schedule_schema import schedule_body
from scheduler_core.decisions.schedule_text import schedule_text
from scheduler_core.models import OnGap, OnOverlap, PauseWindow, Schedule

BERLIN = "Europe/Berlin"
JANUARY = datetime(2027, 1, 1)  # noqa: DTZ001  local time of the schedule


@pytest.mark.parametrize(
    ("document", "beside", "schedule"),
    [
        ("0 9 * * *", None, Schedule(cron="0 9 * * *")),
        ("0 9 * * *", BERLIN, Schedule(cron="0 9 * * *", timezone=BERLIN)),
        (f"CRON_TZ={BERLIN} 0 9 * * *", BERLIN, Schedule(cron="0 9 * * *", timezone=BERLIN)),
        ("JITTER=30s every 15m", None, Schedule(every=900, jitter=30)),
        ({"cron": f"CRON_TZ={BERLIN} 0 9 * * *"}, None, Schedule(cron="0 9 * * *", timezone=BERLIN)),
        (
            {"cron": "30 2 * * *", "timezone": BERLIN, "on_gap": "skip", "on_overlap": "both"},
            None,
            Schedule(cron="30 2 * * *", timezone=BERLIN, on_gap=OnGap.SKIP, on_overlap=OnOverlap.BOTH),
        ),
        ({"every": 900}, None, Schedule(every=900)),
        ({"every": "1h30m"}, None, Schedule(every=5400)),
        ({"after_end": "10m"}, None, Schedule(after_end=600)),
        ({"at": "2027-01-01T00:00:00"}, BERLIN, Schedule(at=JANUARY, timezone=BERLIN)),
        ({"at": "2027-01-01"}, BERLIN, Schedule(at=JANUARY, timezone=BERLIN)),
        (
            {"at": "2027-01-01T09:00+03:00"},
            None,
            Schedule(at=datetime(2027, 1, 1, 9, tzinfo=timezone(timedelta(hours=3)))),
        ),
        ({"rrule": "FREQ=DAILY;BYHOUR=9"}, BERLIN, Schedule(rrule="FREQ=DAILY;BYHOUR=9", timezone=BERLIN)),
        (
            {"any": [{"cron": "0 9 * * *"}, {"every": "6h", "timezone": "UTC"}], "timezone": BERLIN},
            None,
            Schedule(
                any=(Schedule(cron="0 9 * * *", timezone=BERLIN), Schedule(every=21600, timezone="UTC")),
                timezone=BERLIN,
            ),
        ),
        (
            {
                "cron": "* * * * *",
                "valid_from": "2027-01-01T00:00:00",
                "valid_until": "2027-02-01T00:00:00Z",
                "jitter": 30,
                "pauses": [
                    {"from": "2027-01-01T00:00:00", "until": "2027-01-02T00:00:00Z"},
                    {"cron": "0 22 * * *", "lasts": "8h"},
                ],
            },
            None,
            Schedule(
                cron="* * * * *",
                valid_from=JANUARY,
                valid_until=datetime(2027, 2, 1, tzinfo=UTC),
                jitter=30,
                pauses=(
                    PauseWindow(starts_at=JANUARY, until=datetime(2027, 1, 2, tzinfo=UTC)),
                    PauseWindow(cron="0 22 * * *", lasts=28800),
                ),
            ),
        ),
        (None, None, None),
    ],
)
def test_read_schedule_takes_text_and_structure(document: Any, beside: str | None, schedule: Schedule | None) -> None:
    """Each form of each rule gives the value that it says, and what answers show of it reads as the same value."""
    read = read_schedule(document, beside)
    assert read.problems == []
    assert read.schedule == schedule
    if schedule is not None:
        shown = msgspec.json.decode(msgspec.json.encode(schedule_body(schedule)))
        assert read_schedule(shown) == (schedule, [])


@pytest.mark.parametrize(
    ("document", "beside", "fields"),
    [
        ("61 * * * *", None, ["schedule.cron"]),
        ("0 9 * * *", "Mars", ["schedule.timezone"]),
        ("", None, ["schedule.cron"]),
        ("every soon", None, ["schedule"]),
        (f"CRON_TZ={BERLIN} 0 9 * * *", "UTC", ["schedule"]),
        ({}, None, ["schedule"]),
        (5, None, ["schedule"]),
        ([], None, ["schedule"]),
        ({"cron": "@daily", "every": "15m"}, None, ["schedule"]),
        ({"cron": "@daily", "on_gap": "skp", "timezone": "Mars"}, None, ["schedule.on_gap", "schedule.timezone"]),
        ({"every": "15 parsecs", "jitter": "x"}, None, ["schedule.every", "schedule.jitter"]),
        ({"every": 0}, None, ["schedule.every"]),
        ({"every": 10**300}, None, ["schedule.every"]),
        ({"every": True}, None, ["schedule.every"]),
        ({"after_end": -5}, None, ["schedule.after_end"]),
        ({"at": "0001-01-01T00:00:00+14:00"}, None, ["schedule.at"]),
        ({"at": "tomorrow"}, None, ["schedule.at"]),
        ({"any": []}, None, ["schedule.any"]),
        ({"any": [{"cron": "61 * * * *"}, {"every": "x"}]}, None, ["schedule.any.0.cron", "schedule.any.1.every"]),
        ({"any": [{"jitter": "5s", "every": "1h"}]}, None, ["schedule.any.0.jitter"]),
        ({"cron": "@daily", "pauses": [{"cron": "x", "lasts": "8h"}]}, None, ["schedule.pauses.0.cron"]),
        ({"cron": "@daily", "pauses": [{"cron": "@daily", "lasts": "soon"}]}, None, ["schedule.pauses.0.lasts"]),
        ({"cron": "@daily", "pauses": [{"from": "0001-01-01T00:00:00"}]}, None, ["schedule.pauses.0.from"]),
        ({"cron": "@daily", "crn": 1}, None, ["schedule.crn"]),
        ({"cron": f"CRON_TZ={BERLIN} @daily", "timezone": "UTC"}, None, ["schedule.timezone"]),
        ({"cron": "@daily", "timezone": BERLIN}, "UTC", ["timezone"]),
        ({"cron": "* * * * *", "jitter": "2m"}, None, ["schedule.jitter"]),
    ],
)
def test_read_schedule_tells_every_problem_at_its_field(document: Any, beside: str | None, fields: list[str]) -> None:
    """What cannot be used is told once, at its own path, and does not hide what is wrong elsewhere."""
    assert sorted(problem.field for problem in read_schedule(document, beside).problems) == fields


def test_read_schedule_names_both_zones_that_disagree() -> None:
    """Two zones are a mistake whose text shows both of them and where they stand."""
    (problem,) = read_schedule({"cron": f"CRON_TZ={BERLIN} @daily", "timezone": "Asia/Tokyo"}).problems
    assert problem.message == (f"CRON_TZ in schedule.cron is '{BERLIN}', schedule.timezone is 'Asia/Tokyo'. Give one.")


def test_read_schedule_offers_the_nearest_word() -> None:
    """A misspelt choice is answered with the one that was probably meant."""
    (problem,) = read_schedule({"cron": "@daily", "on_gap": "run_afer"}).problems
    assert "Did you mean run_after?" in problem.message


def test_in_timezone_moves_the_rules_that_were_in_the_old_zone() -> None:
    """A member of `any` with a zone of its own keeps it."""
    before = Schedule(
        any=(Schedule(cron="@daily", timezone=BERLIN), Schedule(cron="@hourly", timezone="UTC")), timezone=BERLIN
    )
    assert in_timezone(before, "Asia/Tokyo") == Schedule(
        any=(Schedule(cron="@daily", timezone="Asia/Tokyo"), Schedule(cron="@hourly", timezone="UTC")),
        timezone="Asia/Tokyo",
    )


WORDS = st.sampled_from(
    ["", "UTC", BERLIN, "0 9 * * *", "15m", "x", "2027-01-31T09:00:00Z", "skip", "FREQ=DAILY", "H H * * *"]
)
VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS
NAMES = ("cron", "timezone", "at", "every", "after_end", "rrule", "on_gap", "on_overlap")
RULES = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, VALUES))
PAUSES = st.fixed_dictionaries({}, optional=dict.fromkeys(("from", "until", "cron", "lasts"), VALUES))
SCHEDULES = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys((*NAMES, "valid_from", "valid_until", "jitter"), VALUES),
        "any": st.lists(RULES, max_size=3) | VALUES,
        "pauses": st.lists(PAUSES, max_size=2) | VALUES,
    },
)


@settings(max_examples=300, deadline=None)
@given(document=SCHEDULES | VALUES, beside=st.none() | WORDS)
def test_read_schedule_never_fails_and_reads_its_own_answers(document: Any, beside: str | None) -> None:
    """Whatever comes is a schedule or a list of problems; a schedule reads back from both of its forms."""
    schedule, problems = read_schedule(document, beside)
    if problems or schedule is None:
        assert all(problem.message for problem in problems)
        return
    assert read_schedule(msgspec.json.decode(msgspec.json.encode(schedule_body(schedule)))) == (schedule, [])
    without_pauses = msgspec.structs.replace(schedule, pauses=())
    assert read_schedule(schedule_text(schedule)).schedule == without_pauses
