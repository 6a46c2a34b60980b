"""The sections of `make torture`, each with what it is to reach and its share of the ninety minutes."""

from torture.broker import rabbitmq, rabbitmq_figures
from torture.crashes import crash_figures, crash_points
from torture.freezes import freeze_figures, freezes
from torture.kills import dispatcher_figures, dispatcher_kills, worker_figures, worker_kills
from torture.postgresql import postgresql_figures, postgresql_stops
from torture.replies import commit_replies, reply_figures
from torture.rolling import rolling_figures, rolling_restart
from torture.round import UNBOUNDED, Section
from torture.soak import soak, soak_figures

_ALL = (
    Section(
        "dispatcher-kills",
        "one of three dispatchers killed again and again, 25 tasks due every second",
        cycles=500,
        minutes=8,
        cycles_of_a_round=100,
        play=dispatcher_kills,
        figures=dispatcher_figures,
    ),
    Section(
        "worker-kills",
        "one of five workers killed while it runs jobs, half of them where no dispatcher can see it",
        cycles=1000,
        minutes=15,
        cycles_of_a_round=100,
        play=worker_kills,
        figures=worker_figures,
    ),
    Section(
        "freezes",
        "workers stopped for longer than their lease and woken when others have their runs",
        cycles=200,
        minutes=6,
        cycles_of_a_round=50,
        play=freezes,
        figures=freeze_figures,
    ),
    Section(
        "rabbitmq",
        "RabbitMQ restarted, and at every fifth time emptied",
        cycles=50,
        minutes=10,
        cycles_of_a_round=25,
        play=rabbitmq,
        figures=rabbitmq_figures,
    ),
    Section(
        "postgresql-stops",
        "PostgreSQL stopped at once and started again, under triggers, cancels and slots",
        cycles=100,
        minutes=8,
        cycles_of_a_round=25,
        play=postgresql_stops,
        figures=postgresql_figures,
    ),
    Section(
        "commit-replies",
        "answers of PostgreSQL to changes that are made, dropped before they arrive",
        cycles=2000,
        minutes=4,
        cycles_of_a_round=400,
        play=commit_replies,
        figures=reply_figures,
    ),
    Section(
        "crash-points",
        "every part ended before and after each of its statements, in every flow that has it",
        cycles=UNBOUNDED,
        minutes=12,
        cycles_of_a_round=100,
        play=crash_points,
        figures=crash_figures,
    ),
    Section(
        "rolling-restart",
        "twenty workers replaced one after another, ten times over, half of them with a drain that is too short",
        cycles=200,
        minutes=7,
        cycles_of_a_round=200,
        play=rolling_restart,
        figures=rolling_figures,
    ),
    Section(
        "soak",
        "twelve kinds of faults by chance, everything at work",
        cycles=UNBOUNDED,
        minutes=20,
        cycles_of_a_round=UNBOUNDED,
        play=soak,
        figures=soak_figures,
    ),
)
SECTIONS = {section.name: section for section in _ALL}
"""By name, in the order in which they are played."""
MINUTES = sum(section.minutes for section in _ALL)
"""What all of them take where nobody says otherwise."""
