"""A schedule in words, for people who do not read cron."""

from scheduler_core.decisions.cron_pattern import ALIASES, is_hashed
from scheduler_core.decisions.duration_text import duration_text
from scheduler_core.models import Schedule


def schedule_words(schedule: Schedule) -> str:
    """What the rule says, then what limits it; the time zone is not told.

    >>> schedule_words(Schedule(cron="30 2 * * 1-5", jitter=30))
    'At 02:30, Monday through Friday; delayed by up to 30s'
    """
    parts = [_rule_words(schedule)]
    if schedule.jitter:
        parts.append(f"delayed by up to {duration_text(schedule.jitter)}")
    if schedule.valid_from is not None:
        parts.append(f"from {schedule.valid_from.isoformat(sep=' ')}")
    if schedule.valid_until is not None:
        parts.append(f"until {schedule.valid_until.isoformat(sep=' ')}")
    if schedule.pauses:
        count = len(schedule.pauses)
        parts.append("not in its pause window" if count == 1 else f"not in its {count} pause windows")
    return "; ".join(parts)


def _rule_words(schedule: Schedule) -> str:
    if schedule.any is not None:
        words = [
            _rule_words(rule) + ("" if rule.timezone == schedule.timezone else f" ({rule.timezone})")
            for rule in schedule.any
        ]
        return ", and ".join([words[0], *(each[:1].lower() + each[1:] for each in words[1:])])
    if schedule.at is not None:
        return f"Once at {schedule.at.isoformat(sep=' ')}"
    if schedule.every is not None:
        return f"Every {duration_text(schedule.every)}"
    if schedule.after_end is not None:
        return f"{duration_text(schedule.after_end)} after the end of the last run"
    if schedule.rrule is not None:
        return f"By the recurrence rule {' '.join(schedule.rrule.split())}"
    return _cron_words(schedule.cron or "")


def _cron_words(text: str) -> str:
    if is_hashed(text):
        return f"'{text}', where H stands for values drawn for this task"
    # Here and not above: it takes 50 ms to import, and a server that shows no preview needs it not.
    from cron_descriptor import ExpressionDescriptor, Options

    options = Options()
    options.use_24hour_time_format = True
    options.locale_code = "en_US"
    stripped = text.strip()
    try:
        return str(ExpressionDescriptor(ALIASES.get(stripped.lower(), stripped), options).get_full_description())
    except Exception:  # it knows less of cron than we do, and a preview without words is better than none
        return f"'{text}'"
