"""Which systems are measured, in which versions, what they need and what they can do."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

POSTGRESQL = "postgresql"
RABBITMQ = "rabbitmq"
REDIS = "redis"

W1_BULK = "W1-bulk"
W1_ONE = "W1-one"
W1_EIGHT = "W1-eight"
W2_LATENCY = "W2-latency"
W3_DUE = "W3-due"
W4_CHAIN = "W4-chain"
W4_FAN = "W4-fan"
W5_IDLE = "W5-idle"
WORKLOADS = (W1_BULK, W1_ONE, W1_EIGHT, W2_LATENCY, W3_DUE, W4_CHAIN, W4_FAN, W5_IDLE)
"""By the names that `make bench` has for them, as their figures have."""

SCHEDULES = (1_000, 10_000)
"""How many W3 lets fall due at once."""

PINS: Mapping[str, tuple[str, ...]] = {
    "apscheduler": ("apscheduler==3.11.3",),
    "celery": ("celery==5.7.0", "kombu==5.7.0", "sqlalchemy==2.1.9", "psycopg[binary]==3.3.9"),
    "dbos": ("dbos==3.4.0", "psycopg[binary]==3.3.9"),
    "dramatiq": ("dramatiq[rabbitmq,redis]==2.2.1",),
    "huey": ("huey[redis]==3.5.4",),
    "pgqueuer": ("pgqueuer[asyncpg]==1.6.0", "asyncpg==0.32.0"),
    "procrastinate": ("procrastinate==3.10.0", "psycopg[binary]==3.3.9"),
}
"""What is installed into the environment of this name: the one place that says a version."""


class PeerEntry(NamedTuple):
    """A system in one way of running it: `module` is its file here, `jobs` how many jobs W1 has for it.

    `record` is what is durable of each job before its figures count, for the reader of a table.

    `jobs_singly` is for callers that create them one by one. The numbers follow the pace, so that W1 takes seconds
    everywhere.
    """

    module: str
    environment: str
    record: str
    servers: tuple[str, ...]
    workloads: tuple[str, ...]
    jobs: int = 0
    jobs_singly: int = 0


_QUEUE = (W1_BULK, W1_ONE, W1_EIGHT, W2_LATENCY, W5_IDLE)
_GRAPHS = (W4_CHAIN, W4_FAN)

ALL_RECORDED = "created, started, ended"
_NOTHING = "nothing"

PEERS: Mapping[str, PeerEntry] = {
    "pgqueuer": PeerEntry("pgqueuer_peer", "pgqueuer", ALL_RECORDED, (POSTGRESQL,), (*_QUEUE, W3_DUE), 20_000, 3_000),
    "procrastinate": PeerEntry(
        "procrastinate_peer", "procrastinate", ALL_RECORDED, (POSTGRESQL,), (*_QUEUE, W3_DUE), 3_000, 2_000
    ),
    "celery": PeerEntry("celery_peer", "celery", "ended", (RABBITMQ, POSTGRESQL), (*_QUEUE, *_GRAPHS), 3_000, 3_000),
    "celery-no-results": PeerEntry("celery_peer", "celery", _NOTHING, (RABBITMQ,), _QUEUE, 8_000, 8_000),
    "celery-beat": PeerEntry("celery_peer", "celery", _NOTHING, (RABBITMQ,), (W3_DUE,)),
    "dramatiq": PeerEntry(
        "dramatiq_peer", "dramatiq", _NOTHING, (RABBITMQ, REDIS), (*_QUEUE, *_GRAPHS), 20_000, 10_000
    ),
    "huey": PeerEntry("huey_peer", "huey", _NOTHING, (REDIS,), _QUEUE, 20_000, 10_000),
    "dbos": PeerEntry("dbos_peer", "dbos", ALL_RECORDED, (POSTGRESQL,), (*_QUEUE, *_GRAPHS), 2_000, 2_000),
    "apscheduler": PeerEntry("apscheduler_peer", "apscheduler", _NOTHING, (), (W3_DUE,)),
}


def chosen_peers(names: Iterable[str]) -> list[str]:
    """The systems that these names mean, in the order of the catalogue: `celery` means each way of running Celery.

    Raises ValueError for a name that means none.
    """
    wanted = list(names)
    for name in wanted:
        if not any(_means(name, system) for system in PEERS):
            raise ValueError(f"There is no peer '{name}': choose from {', '.join(PEERS)}.")
    return [system for system in PEERS if any(_means(name, system) for name in wanted)]


def chosen_workloads(names: Iterable[str]) -> list[str]:
    """The workloads that these names mean, in their order: `W1` means each that begins with it.

    Raises ValueError for a name that means none.
    """
    wanted = list(names)
    for name in wanted:
        if not any(_means(name, workload) for workload in WORKLOADS):
            raise ValueError(f"There is no workload '{name}': choose from {', '.join(WORKLOADS)}.")
    return [workload for workload in WORKLOADS if any(_means(name, workload) for name in wanted)]


def _means(name: str, whole: str) -> bool:
    return whole == name or whole.startswith(f"{name}-")
