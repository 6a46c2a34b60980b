"""The tables as SQLModel sees them: for plain reads and writes by key, and for the check against the migrations.

The migrations make the schema; a test compares it with these classes. Hot statements do not come here.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlmodel import Field, SQLModel

SCHEMA = "scheduler"
metadata = SQLModel.metadata


def _instant(**options: Any) -> Any:
    return Field(sa_type=TIMESTAMP(timezone=True), **options)


def _big(**options: Any) -> Any:
    return Field(sa_type=BigInteger, **options)


def _text(**options: Any) -> Any:
    return Field(sa_type=Text, **options)


def _defaulted(sa_type: Any, default: str) -> Any:
    return Field(sa_type=sa_type, sa_column_kwargs={"server_default": text(default)})


def _json(nullable: bool = False) -> Any:
    return Field(sa_type=JSONB, nullable=nullable)


def _identity() -> Any:
    return Field(default=None, sa_column=Column("id", BigInteger, Identity(always=False), nullable=False))


class TaskRow(SQLModel, table=True):
    """A task and its present version."""

    __tablename__: ClassVar[str] = "tasks"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_tasks"),
        Index(
            "uq_tasks_namespace_name", "namespace", "name", unique=True, postgresql_where=text("status <> 'INACTIVE'")
        ),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    namespace: str = _text()
    name: str = _text()
    status: str = _text()
    version: int = Field(sa_type=Integer)
    task_version_id: int = _big()
    schedule_seed: int = _defaulted(Integer, "0")
    created_at: datetime = _instant()
    updated_at: datetime = _instant()


class TaskVersionRow(SQLModel, table=True):
    """An immutable definition."""

    __tablename__: ClassVar[str] = "task_versions"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_task_versions"),
        UniqueConstraint("task_id", "version", name="uq_task_versions_task_id_version"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_versions_tasks"),
        ForeignKeyConstraint(
            ["stream_id"], [f"{SCHEMA}.dispatch_streams.id"], name="fk_task_versions_dispatch_streams"
        ),
        Index("idx_task_versions_stream_id", "stream_id", postgresql_where=text("stream_id IS NOT NULL")),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    task_id: int = _big()
    version: int = Field(sa_type=Integer)
    task_type: str = _text()
    description: str = _text()
    parameters: dict[str, Any] = _json()
    schedule: dict[str, Any] | None = _json(nullable=True)
    dependencies: list[Any] = _json()
    queue: str = _text()
    priority: int = Field(sa_type=SmallInteger)
    timeout_seconds: float | None = Field(default=None, sa_type=Double)
    max_retries: int = Field(sa_type=Integer)
    retry: dict[str, Any] = _json()
    misfire: str = _defaulted(Text, "'latest'")
    misfire_grace_seconds: float | None = Field(default=None, sa_type=Double)
    misfire_runs_max: int = _defaulted(Integer, "100")
    overlap: str = _defaulted(Text, "'allow'")
    flow_options: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    parameters_schema: dict[str, Any] | None = _json(nullable=True)
    dispatch_options: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    run_options: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    gated: bool = _defaulted(Boolean, "false")
    stream_id: int | None = _big(nullable=True)
    created_at: datetime = _instant()


class TaskLinkRow(SQLModel, table=True):
    """A definition that names another task in another way than as a dependency within the flow."""

    __tablename__: ClassVar[str] = "task_links"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "kind", "other_task_id", name="pk_task_links"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_links_tasks"),
        ForeignKeyConstraint(["other_task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_links_tasks_other_task_id"),
        Index("idx_task_links_other_task_id", "other_task_id"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    kind: str = _text()
    other_task_id: int = _big()


class TaskDependencyRow(SQLModel, table=True):
    """An edge of the present definitions."""

    __tablename__: ClassVar[str] = "task_dependencies"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "depends_on_task_id", name="pk_task_dependencies"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_dependencies_tasks"),
        ForeignKeyConstraint(
            ["depends_on_task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_dependencies_tasks_depends_on_task_id"
        ),
        Index("idx_task_dependencies_depends_on_task_id", "depends_on_task_id"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    depends_on_task_id: int = _big()


class ScheduleRow(SQLModel, table=True):
    """Where a task's schedule stands."""

    __tablename__: ClassVar[str] = "schedules"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", name="pk_schedules"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_schedules_tasks"),
        Index(
            "idx_schedules_next_due_at_task_id",
            "next_due_at",
            "task_id",
            postgresql_where=text("next_due_at IS NOT NULL"),
        ),
        Index("idx_schedules_awaits_run_id", "awaits_run_id", postgresql_where=text("awaits_run_id IS NOT NULL")),
        {"schema": SCHEMA},
    )
    task_id: int = Field(sa_column=Column("task_id", BigInteger, autoincrement=False, nullable=False))
    schedule: dict[str, Any] = _json()
    next_due_at: datetime | None = _instant(nullable=True, default=None)
    last_slot_at: datetime | None = _instant(nullable=True, default=None)
    recorded_from: datetime = _instant()
    awaits_run_id: int | None = _big(nullable=True, default=None)


class SchedulePeriodRow(SQLModel, table=True):
    """Which schedule of a task counted when."""

    __tablename__: ClassVar[str] = "schedule_periods"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "counts_from", name="pk_schedule_periods"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_schedule_periods_tasks"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    counts_from: datetime = _instant()
    counts_until: datetime | None = _instant(nullable=True, default=None)
    schedule: dict[str, Any] = _json()
    seed: int = Field(sa_type=Integer)


class SlotRow(SQLModel, table=True):
    """A slot, or a stretch of slots, of the ledger."""

    __tablename__: ClassVar[str] = "slots"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "scheduled_at", "shard_index", name="pk_slots"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    scheduled_at: datetime = _instant()
    shard_index: int = Field(sa_type=Integer)
    last_scheduled_at: datetime = _instant()
    count: int = _big()
    run_id: int | None = _big(nullable=True, default=None)
    reason: str | None = _text(nullable=True, default=None)
    zone_data: str | None = _text(nullable=True, default=None)


class TaskRunRow(SQLModel, table=True):
    """A run."""

    __tablename__: ClassVar[str] = "task_runs"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_task_runs"),
        Index(
            "idx_task_runs_claim",
            "queue",
            "task_type",
            text("claim_at NULLS FIRST"),
            "id",
            postgresql_where=text("status = 'DISPATCHED' AND assigned_to IS NULL"),
        ),
        Index(
            "idx_task_runs_assigned_to",
            "assigned_to",
            "claim_at",
            "id",
            postgresql_where=text("status = 'DISPATCHED' AND assigned_to IS NOT NULL"),
        ),
        Index(
            "idx_task_runs_stream_id_waiting",
            "stream_id",
            "claim_at",
            "id",
            postgresql_where=text("status = 'PENDING' AND stream_id IS NOT NULL"),
        ),
        Index(
            "idx_task_runs_stream_id_offered",
            "stream_id",
            "offered_at",
            postgresql_where=text("status = 'DISPATCHED' AND stream_id IS NOT NULL"),
        ),
        Index(
            "idx_task_runs_not_before_id",
            "not_before",
            "id",
            postgresql_where=text("status = 'PENDING' AND waiting_on = 0 AND NOT held AND gated IS NOT TRUE"),
        ),
        Index(
            "idx_task_runs_gated_not_before",
            "not_before",
            "id",
            postgresql_where=text("status = 'PENDING' AND waiting_on = 0 AND NOT held AND gated AND stream_id IS NULL"),
        ),
        Index("idx_task_runs_quarantined_id", "id", postgresql_where=text("status = 'QUARANTINED'")),
        Index("idx_task_runs_retry_of", "retry_of", postgresql_where=text("retry_of IS NOT NULL")),
        Index("idx_task_runs_session_id", "session_id", postgresql_where=text("status = 'RUNNING'")),
        Index(
            "idx_task_runs_unsettled_id",
            "id",
            postgresql_where=text(
                "needs_settlement AND status IN "
                "('COMPLETED', 'FAILED', 'TIMEOUT', 'CANCELLED', 'SKIPPED', 'QUARANTINED')"
            ),
        ),
        Index("idx_task_runs_task_id_id", "task_id", "id"),
        Index(
            "idx_task_runs_active_task_id",
            "task_id",
            postgresql_where=text("CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END"),
        ),
        Index(
            "idx_task_runs_start_before",
            "start_before",
            postgresql_where=text(
                "start_before IS NOT NULL AND "
                "CASE status WHEN 'PENDING' THEN true WHEN 'DISPATCHED' THEN true ELSE false END"
            ),
        ),
        Index("idx_task_runs_flow_id", "flow_id", "id", postgresql_where=text("flow_id <> id")),
        Index("idx_task_runs_group_id", "group_id", "id", postgresql_where=text("group_id IS NOT NULL")),
        Index(
            "idx_task_runs_expands_not_before",
            "not_before",
            "id",
            postgresql_where=text("status = 'PENDING' AND waiting_on = 0 AND expands AND NOT held"),
        ),
        Index(
            "idx_task_runs_group_waiting",
            "group_id",
            "id",
            postgresql_where=text("group_id IS NOT NULL AND status = 'PENDING' AND waiting_on > 0"),
        ),
        Index(
            "idx_task_runs_broadcast_id",
            "id",
            postgresql_where=text("left(queue, 1) = '@' AND status IN ('PENDING', 'DISPATCHED')"),
        ),
        Index("idx_task_runs_stale_id", "id", postgresql_where=text("stale_since IS NOT NULL")),
        Index(
            "idx_task_runs_task_id_scheduled_at",
            "task_id",
            "scheduled_at",
            postgresql_where=text("interval_to IS NOT NULL AND group_id IS NULL"),
        ),
        Index("idx_task_runs_completed_at", "completed_at", postgresql_using="brin"),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    task_id: int = _big()
    task_version_id: int = _big()
    flow_id: int = _big()
    retry_of: int | None = _big(nullable=True, default=None)
    session_id: int | None = _big(nullable=True, default=None)
    scheduled_at: datetime = _instant()
    not_before: datetime = _instant()
    created_at: datetime = _instant()
    started_at: datetime | None = _instant(nullable=True, default=None)
    completed_at: datetime | None = _instant(nullable=True, default=None)
    attempt: int = Field(sa_type=Integer)
    failures: int = Field(sa_type=Integer)
    losses: int = Field(sa_type=Integer)
    hand_backs: int = Field(sa_type=Integer)
    max_retries: int = Field(sa_type=Integer)
    waiting_on: int = Field(sa_type=Integer)
    priority: int = Field(sa_type=SmallInteger)
    needs_settlement: bool
    cancel_requested: bool
    held: bool
    status: str = _text()
    trigger: str = _text()
    namespace: str = _text()
    queue: str = _text()
    task_type: str = _text()
    parameters: dict[str, Any] | None = _json(nullable=True)
    result: dict[str, Any] | None = _json(nullable=True)
    error: str | None = _text(nullable=True, default=None)
    trace_context: str | None = _text(nullable=True, default=None)
    interval_from: datetime | None = _instant(nullable=True, default=None)
    interval_to: datetime | None = _instant(nullable=True, default=None)
    trigger_rule: str | None = _text(nullable=True, default=None)
    upstreams: int | None = Field(default=None, sa_type=Integer)
    upstream_successes: int | None = Field(default=None, sa_type=Integer)
    upstream_failures: int | None = Field(default=None, sa_type=Integer)
    upstream_skips: int | None = Field(default=None, sa_type=Integer)
    expands: bool | None = None
    group_id: int | None = _big(nullable=True, default=None)
    group_size: int | None = Field(default=None, sa_type=Integer)
    shard_index: int | None = Field(default=None, sa_type=Integer)
    shard_total: int | None = Field(default=None, sa_type=Integer)
    item: dict[str, Any] | None = _json(nullable=True)
    skip_reason: str | None = _text(nullable=True, default=None)
    stale_since: datetime | None = _instant(nullable=True, default=None)
    stale_run_id: int | None = _big(nullable=True, default=None)
    claim_at: datetime | None = _instant(nullable=True, default=None)
    gated: bool | None = None
    background: bool | None = None
    stream_id: int | None = _big(nullable=True, default=None)
    limit_key_ids: list[int] | None = Field(default=None, sa_type=ARRAY(BigInteger))
    assigned_to: int | None = _big(nullable=True, default=None)
    offered_at: datetime | None = _instant(nullable=True, default=None)
    start_before: datetime | None = _instant(nullable=True, default=None)
    end_before: datetime | None = _instant(nullable=True, default=None)
    queue_timeout_seconds: float | None = Field(default=None, sa_type=Double)
    total_timeout_seconds: float | None = Field(default=None, sa_type=Double)
    pause_requested: bool | None = None
    paused_at: datetime | None = _instant(nullable=True, default=None)
    progress: dict[str, Any] | None = _json(nullable=True)


class TaskRunDependencyRow(SQLModel, table=True):
    """An edge of a flow: `run_id` waits for `upstream_run_id`."""

    __tablename__: ClassVar[str] = "task_run_dependencies"
    __table_args__ = (
        PrimaryKeyConstraint("upstream_run_id", "run_id", name="pk_task_run_dependencies"),
        Index("idx_task_run_dependencies_run_id", "run_id"),
        {"schema": SCHEMA},
    )
    upstream_run_id: int = _big()
    run_id: int = _big()
    regardless: bool = _defaulted(Boolean, "false")
    tolerant: bool = _defaulted(Boolean, "false")
    given: bool = _defaulted(Boolean, "false")


class TaskRunWaitRow(SQLModel, table=True):
    """A run's dependency on an interval of another schedule."""

    __tablename__: ClassVar[str] = "task_run_waits"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "position", name="pk_task_run_waits"),
        Index("idx_task_run_waits_deadline_at", "deadline_at", "run_id", postgresql_where=text("state = 'OPEN'")),
        Index(
            "idx_task_run_waits_open_run_id",
            "run_id",
            "position",
            postgresql_where=text("state IN ('OPEN', 'OVERDUE')"),
        ),
        {"schema": SCHEMA},
    )
    run_id: int = _big()
    position: int = Field(sa_type=SmallInteger)
    upstream_task_id: int = _big()
    dependency: dict[str, Any] = _json()
    expected: int = Field(sa_type=Integer)
    deadline_at: datetime | None = _instant(nullable=True, default=None)
    state: str = _text()
    settled_at: datetime | None = _instant(nullable=True, default=None)


class TaskRunWaitSlotRow(SQLModel, table=True):
    """A slot that a run waits for, and what became of it."""

    __tablename__: ClassVar[str] = "task_run_wait_slots"
    __table_args__ = (
        PrimaryKeyConstraint("upstream_task_id", "scheduled_at", "run_id", "position", name="pk_task_run_wait_slots"),
        Index("idx_task_run_wait_slots_run_id", "run_id", "position"),
        {"schema": SCHEMA},
    )
    upstream_task_id: int = _big()
    scheduled_at: datetime = _instant()
    run_id: int = _big()
    position: int = Field(sa_type=SmallInteger)
    outcome: str | None = _text(nullable=True, default=None)
    upstream_run_id: int | None = _big(nullable=True, default=None)


class DispatcherRow(SQLModel, table=True):
    """One life of one dispatcher process."""

    __tablename__: ClassVar[str] = "dispatchers"
    __table_args__ = (PrimaryKeyConstraint("id", name="pk_dispatchers"), {"schema": SCHEMA})
    id: int = _identity()
    hostname: str = _text()
    pid: int = Field(sa_type=Integer)
    version: str = _text()
    started_at: datetime = _instant()
    last_seen_at: datetime = _instant()
    ended_at: datetime | None = _instant(nullable=True, default=None)
    queue_error: str | None = _text(nullable=True, default=None)
    strategy: str = _defaulted(Text, "'shared'")
    strategies: list[str] = Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": text("'{shared}'")})


class TaskRunAttemptRow(SQLModel, table=True):
    """An attempt that was not the last of its run."""

    __tablename__: ClassVar[str] = "task_run_attempts"
    __table_args__ = (PrimaryKeyConstraint("run_id", "attempt", name="pk_task_run_attempts"), {"schema": SCHEMA})
    run_id: int = _big()
    attempt: int = Field(sa_type=Integer)
    session_id: int | None = _big(nullable=True, default=None)
    started_at: datetime | None = _instant(nullable=True, default=None)
    ended_at: datetime = _instant()
    outcome: str = _text()
    error: str | None = _text(nullable=True, default=None)


class TaskRunLogRow(SQLModel, table=True):
    """A piece of a run's output."""

    __tablename__: ClassVar[str] = "task_run_logs"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", "attempt", "sequence", name="pk_task_run_logs"),
        {"schema": SCHEMA},
    )
    run_id: int = _big()
    attempt: int = Field(sa_type=Integer)
    sequence: int = Field(sa_type=Integer)
    stream: str = _text()
    logged_at: datetime = _instant()
    content: str = _text()
    line_offsets: list[int] | None = Field(default=None, sa_type=ARRAY(Integer))
    first_line: int | None = _big(nullable=True, default=None)
    first_byte: int | None = _big(nullable=True, default=None)


class WorkerSessionRow(SQLModel, table=True):
    """One life of one worker process."""

    __tablename__: ClassVar[str] = "worker_sessions"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_worker_sessions"),
        Index("uq_worker_sessions_worker_id", "worker_id", unique=True, postgresql_where=text("state = 'ALIVE'")),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    worker_id: str = _text()
    hostname: str = _text()
    pid: int = Field(sa_type=Integer)
    boot_id: str = _text()
    process_started_at: int = _big()
    state: str = _text()
    draining: bool
    queues: list[str] = Field(sa_type=ARRAY(Text))
    task_types: list[str] = Field(sa_type=ARRAY(Text))
    places: int = Field(sa_type=Integer)
    lease_seconds: float = Field(sa_type=Double)
    lease_expires_at: datetime = _instant()
    renewals: int = _big()
    version: str = _text()
    started_at: datetime = _instant()
    last_heartbeat_at: datetime = _instant()
    ended_at: datetime | None = _instant(nullable=True, default=None)
    tags: list[str] = Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": text("'{}'")})
    resources: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    drain_requested: bool = _defaulted(Boolean, "false")
    load: dict[str, Any] = Field(sa_type=JSONB, sa_column_kwargs={"server_default": text("'{}'")})
    python_version: str = _defaulted(Text, "''")
    takes_grants: bool = _defaulted(Boolean, "false")


class ApiKeyRow(SQLModel, table=True):
    """A key of the HTTP API, by its hash."""

    __tablename__: ClassVar[str] = "api_keys"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_api_keys"),
        UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        Index("uq_api_keys_name", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    name: str = _text()
    prefix: str = _text()
    key_hash: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = _instant()
    last_used_at: datetime | None = _instant(nullable=True, default=None)
    revoked_at: datetime | None = _instant(nullable=True, default=None)


class IdempotencyKeyRow(SQLModel, table=True):
    """An answer given to a request that may be repeated."""

    __tablename__: ClassVar[str] = "idempotency_keys"
    __table_args__ = (
        PrimaryKeyConstraint("scope", "key", name="pk_idempotency_keys"),
        Index("idx_idempotency_keys_created_at", "created_at"),
        {"schema": SCHEMA},
    )
    scope: str = _text()
    key: str = _text()
    request_hash: str = _text()
    status_code: int | None = Field(default=None, sa_type=Integer)
    body: str | None = _text(nullable=True, default=None)
    created_at: datetime = _instant()


class LimitRow(SQLModel, table=True):
    """A limit as a user declared it."""

    __tablename__: ClassVar[str] = "limits"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_limits"),
        UniqueConstraint("namespace", "name", name="uq_limits_namespace_name"),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    namespace: str = _text()
    name: str = _text()
    description: str = _text()
    key: str | None = _text(nullable=True, default=None)
    concurrent: int | None = Field(default=None, sa_type=Integer)
    rate: int | None = Field(default=None, sa_type=Integer)
    rate_seconds: float = Field(sa_type=Double)
    burst: int | None = Field(default=None, sa_type=Integer)
    created_at: datetime = _instant()
    updated_at: datetime = _instant()


class LimitKeyRow(SQLModel, table=True):
    """One value of a limit's key, and the starts that its rate has left."""

    __tablename__: ClassVar[str] = "limit_keys"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_limit_keys"),
        UniqueConstraint("limit_id", "key", name="uq_limit_keys_limit_id_key"),
        ForeignKeyConstraint(["limit_id"], [f"{SCHEMA}.limits.id"], name="fk_limit_keys_limits", ondelete="CASCADE"),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    limit_id: int = _big()
    key: str = _text()
    tokens: float | None = Field(default=None, sa_type=Double)
    refilled_at: datetime | None = _instant(nullable=True, default=None)


class TaskRunPermitRow(SQLModel, table=True):
    """A permit of a limit's key that an attempt holds while it runs."""

    __tablename__: ClassVar[str] = "task_run_permits"
    __table_args__ = (PrimaryKeyConstraint("limit_key_id", "run_id", name="pk_task_run_permits"), {"schema": SCHEMA})
    limit_key_id: int = _big()
    run_id: int = _big()
    attempt: int = Field(sa_type=Integer)


class TaskLimitRow(SQLModel, table=True):
    """A limit that a task's present definition names."""

    __tablename__: ClassVar[str] = "task_limits"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "limit_id", name="pk_task_limits"),
        ForeignKeyConstraint(["task_id"], [f"{SCHEMA}.tasks.id"], name="fk_task_limits_tasks"),
        ForeignKeyConstraint(["limit_id"], [f"{SCHEMA}.limits.id"], name="fk_task_limits_limits"),
        Index("idx_task_limits_limit_id", "limit_id"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    limit_id: int = _big()


class FairnessKeyRow(SQLModel, table=True):
    """How far one value of a fairness key has been served in a queue."""

    __tablename__: ClassVar[str] = "fairness_keys"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_fairness_keys"),
        UniqueConstraint("queue", "key", "background", name="uq_fairness_keys_queue_key_background"),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    queue: str = _text()
    key: str = _text()
    background: bool
    virtual_time: float = _defaulted(Double, "0")


class FairnessClockRow(SQLModel, table=True):
    """How far the fairness of a queue is."""

    __tablename__: ClassVar[str] = "fairness_clocks"
    __table_args__ = (PrimaryKeyConstraint("queue", "background", name="pk_fairness_clocks"), {"schema": SCHEMA})
    queue: str = _text()
    background: bool
    virtual_time: float = Field(sa_type=Double)


class DispatchStreamRow(SQLModel, table=True):
    """Gated runs that are interchangeable to dispatchers."""

    __tablename__: ClassVar[str] = "dispatch_streams"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="pk_dispatch_streams"),
        UniqueConstraint("signature", name="uq_dispatch_streams_signature"),
        {"schema": SCHEMA},
    )
    id: int = _identity()
    signature: str = _text()
    key: dict[str, Any] = _json()
    limit_key_ids: list[int] = Field(sa_type=ARRAY(BigInteger))
    fairness_id: int | None = _big(nullable=True, default=None)


class RunGrantRow(SQLModel, table=True):
    """Waiting runs of a stream that a session may take."""

    __tablename__: ClassVar[str] = "run_grants"
    __table_args__ = (
        PrimaryKeyConstraint("session_id", "stream_id", "granted_at", name="pk_run_grants"),
        {"schema": SCHEMA},
    )
    session_id: int = _big()
    stream_id: int = _big()
    granted_at: datetime = _instant()
    run_ids: list[int] = Field(sa_type=ARRAY(BigInteger))


class DispatchStateRow(SQLModel, table=True):
    """What all dispatchers share: a lock, and the strategy that they are set to."""

    __tablename__: ClassVar[str] = "dispatch_state"
    __table_args__ = (PrimaryKeyConstraint("id", name="pk_dispatch_state"), {"schema": SCHEMA})
    id: int = Field(sa_type=Integer)
    strategy: str = _text()


class TaskUniqueKeyRow(SQLModel, table=True):
    """The latest run of a value of a task's unique key."""

    __tablename__: ClassVar[str] = "task_unique_keys"
    __table_args__ = (
        PrimaryKeyConstraint("task_id", "key", name="pk_task_unique_keys"),
        Index("idx_task_unique_keys_run_id", "run_id"),
        {"schema": SCHEMA},
    )
    task_id: int = _big()
    key: str = _text()
    run_id: int = _big()
    created_at: datetime = _instant()


class QuarantinedRunRow(SQLModel, table=True):
    """Why a run is QUARANTINED, and what was decided of it."""

    __tablename__: ClassVar[str] = "quarantined_runs"
    __table_args__ = (
        PrimaryKeyConstraint("run_id", name="pk_quarantined_runs"),
        Index("idx_quarantined_runs_open_run_id", "run_id", postgresql_where=text("decision IS NULL")),
        {"schema": SCHEMA},
    )
    run_id: int = _big()
    quarantined_at: datetime = _instant()
    evidence: list[Any] = _json()
    decision: str | None = _text(nullable=True, default=None)
    decided_at: datetime | None = _instant(nullable=True, default=None)
    released_run_id: int | None = _big(nullable=True, default=None)
