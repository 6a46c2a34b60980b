"""What a schedule means, in words and in slots."""

from datetime import UTC, datetime, timedelta

import pytest

from scheduler_api.schedule_preview import dst_rules, preview_schedule
from scheduler_api.schedule_words import schedule_words
from scheduler_api.schemas.preview_schema import DstRules
from scheduler_core.models import OnGap, OnOverlap, PauseWindow, Schedule

BERLIN = "Europe/Berlin"
BEFORE_SPRING = datetime(2026, 3, 28, tzinfo=UTC)


def test_preview_shows_a_change_night_in_every_zone() -> None:
    """The slot that the clocks skip is shown where it is due, in UTC, in its own zone and in the viewer's."""
    schedule = Schedule(cron="30 2 * * *", timezone=BERLIN)
    preview = preview_schedule(schedule, 0, BEFORE_SPRING, count=3, viewer_timezone="Asia/Tokyo")
    assert [(slot.scheduled_at.isoformat(), slot.local, slot.viewer) for slot in preview.slots] == [
        ("2026-03-28T01:30:00+00:00", "2026-03-28T02:30:00+01:00", "2026-03-28T10:30:00+09:00"),
        ("2026-03-29T01:00:00+00:00", "2026-03-29T03:00:00+02:00", "2026-03-29T10:00:00+09:00"),
        ("2026-03-30T00:30:00+00:00", "2026-03-30T02:30:00+02:00", "2026-03-30T09:30:00+09:00"),
    ]
    assert (preview.schedule, preview.timezone) == ("CRON_TZ=Europe/Berlin 30 2 * * *", BERLIN)
    assert preview.words == "At 02:30"


def test_preview_tells_jitter_and_pauses_of_each_slot() -> None:
    """A slot with jitter has a time before which it does not start; one in a pause window is marked."""
    schedule = Schedule(cron="0 * * * *", jitter=60, pauses=(PauseWindow(cron="0 1 * * *", lasts=3600),))
    slots = preview_schedule(schedule, 7, BEFORE_SPRING, count=3).slots
    assert [slot.paused for slot in slots] == [True, False, False]
    for slot in slots:
        assert slot.not_before is not None
        assert timedelta() <= slot.not_before - slot.scheduled_at <= timedelta(seconds=60)


def test_preview_of_a_fixed_delay_knows_one_slot() -> None:
    """Only the next slot of a fixed delay is known before its run has ended."""
    preview = preview_schedule(Schedule(after_end=600), 0, BEFORE_SPRING, count=10)
    assert [slot.scheduled_at for slot in preview.slots] == [BEFORE_SPRING + timedelta(minutes=10)]


def test_preview_of_what_is_over_has_no_slots() -> None:
    """A schedule without a slot to come has an empty list, however many are asked for."""
    over = Schedule(cron="@daily", valid_until=datetime(2026, 1, 1, tzinfo=UTC))
    assert preview_schedule(over, 0, BEFORE_SPRING, count=10).slots == []


@pytest.mark.parametrize(
    ("schedule", "rules"),
    [
        (Schedule(cron="30 2 * * *"), DstRules(on_gap=OnGap.RUN_AFTER, on_overlap=OnOverlap.FIRST)),
        (Schedule(cron="*/15 * * * *"), DstRules(on_gap=OnGap.SKIP, on_overlap=OnOverlap.BOTH)),
        (Schedule(cron="30 2 * * *", on_gap=OnGap.SKIP), DstRules(on_gap=OnGap.SKIP, on_overlap=OnOverlap.FIRST)),
        (Schedule(rrule="FREQ=HOURLY"), DstRules(on_gap=OnGap.SKIP, on_overlap=OnOverlap.BOTH)),
        (Schedule(every=60), None),
        (Schedule(after_end=60), None),
        (
            Schedule(any=(Schedule(cron="1 2 * * *"), Schedule(cron="3 4 * * *"))),
            DstRules(on_gap=OnGap.RUN_AFTER, on_overlap=OnOverlap.FIRST),
        ),
        (Schedule(any=(Schedule(cron="1 2 * * *"), Schedule(cron="* 4 * * *"))), None),
    ],
)
def test_dst_rules_are_those_that_count(schedule: Schedule, rules: DstRules | None) -> None:
    """Chosen rules are shown as chosen, the others as the defaults of the rule decide."""
    assert dst_rules(schedule) == rules


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (Schedule(cron="@hourly"), "Every hour"),
        (Schedule(cron="0 9 * * MON#2"), "At 09:00, on the second Monday of the month"),
        (Schedule(cron="0 0 LW * *"), "At 00:00, on the last weekday of the month"),
        (Schedule(cron="H H * * *"), "'H H * * *', where H stands for values drawn for this task"),
        (Schedule(every=5400), "Every 1h30m"),
        (Schedule(after_end=600), "10m after the end of the last run"),
        (Schedule(at=datetime(2027, 1, 31, 9, tzinfo=UTC)), "Once at 2027-01-31 09:00:00+00:00"),
        (Schedule(rrule="FREQ=DAILY"), "By the recurrence rule FREQ=DAILY"),
        (
            Schedule(any=(Schedule(cron="0 9 * * *"), Schedule(every=3600, timezone=BERLIN))),
            "At 09:00, and every 1h (Europe/Berlin)",
        ),
        (
            Schedule(every=60, jitter=5, valid_from=datetime(2027, 1, 1, tzinfo=UTC), pauses=(PauseWindow(),)),
            "Every 1m; delayed by up to 5s; from 2027-01-01 00:00:00+00:00; not in its pause window",
        ),
    ],
)
def test_schedule_words_say_what_the_rule_says(schedule: Schedule, words: str) -> None:
    """Every kind of rule has words, and what limits it is told."""
    assert schedule_words(schedule) == words


def test_preview_schedule_of_an_instant_that_has_passed_shows_nothing() -> None:
    """What has run already is not to come, however short ago."""
    passed = Schedule(at=BEFORE_SPRING - timedelta(seconds=30))
    assert preview_schedule(passed, 0, BEFORE_SPRING, count=10).slots == []


def test_preview_schedule_of_an_instant_shows_both_passes_of_a_repeated_hour() -> None:
    """`at` follows its rule for times that come twice, however far away."""
    schedule = Schedule(at=datetime(2099, 10, 25, 2, 30), timezone="Europe/Berlin", on_overlap=OnOverlap.BOTH)  # noqa: DTZ001
    slots = preview_schedule(schedule, 0, BEFORE_SPRING, count=10).slots
    assert [slot.local for slot in slots] == ["2099-10-25T02:30:00+02:00", "2099-10-25T02:30:00+01:00"]
