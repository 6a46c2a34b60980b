"""What takes the first of many walks the index that is in that order, whatever the statistics of the moment say."""

from typing import Any

import psycopg

from fixtures.factories import create_task, open_session
from scheduler_core.interfaces import Store
from scheduler_infra.database.query_loader import query

_FINISHED = """
INSERT INTO scheduler.task_runs (task_id, task_version_id, flow_id, scheduled_at, not_before, created_at, completed_at,
                                 max_retries, waiting_on, priority, needs_settlement, held, status, trigger, namespace,
                                 queue, task_type, claim_at)
SELECT tasks.id, tasks.task_version_id, 1, now(), now(), now(), now(), 0, 0, 5, false, false, 'COMPLETED', 'MANUAL',
       'default', 'default', 'python', now()
FROM scheduler.tasks, generate_series(1, 20000)
"""
_ORDERED: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "claim_runs": (
        {"session_id": 1, "queues": ["default"], "task_types": ["python"], "limit": 10, "look": 10, "now": None},
        ("idx_task_runs_claim", "idx_task_runs_assigned_to", "pk_run_grants"),
    ),
    "claim_granted_runs": (
        {"session_id": 1, "queues": ["default"], "task_types": ["python"], "limit": 10, "look": 10, "now": None},
        ("idx_task_runs_claim", "idx_task_runs_assigned_to", "pk_task_runs", "pk_run_grants"),
    ),
    "lock_admissible_runs": ({"limit": 10, "now": None}, ("idx_task_runs_not_before_id",)),
    "lock_gated_runs": ({"limit": 10, "but": [], "only": None, "now": None}, ("idx_task_runs_gated_not_before",)),
    "window_heads": (
        {"stream_ids": [1], "counts": [10], "since_ats": [None], "since_ids": [None], "now": None},
        ("idx_task_runs_stream_id_waiting",),
    ),
}


async def test_infra_integration_ordered_reads_keep_to_their_index(store: Store, database_url: str) -> None:
    """After statistics that say that nothing waits no claim or look reads and sorts all that waits by then."""
    await create_task(store)
    await open_session(store)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_FINISHED)
        connection.execute("ANALYZE scheduler.task_runs")
        connection.execute("UPDATE scheduler.task_runs SET status = 'DISPATCHED', completed_at = NULL WHERE id % 2 = 0")
    async with store.autocommit() as work:
        repository: Any = work.task_runs
        for name, (parameters, indexes) in _ORDERED.items():
            rows = await repository._execute("EXPLAIN " + query(name), parameters)
            plan = "\n".join(row["QUERY PLAN"] for row in rows)
            for index in indexes:
                assert index in plan, f"{name}:\n{plan}"
            assert "idx_task_runs_active_task_id" not in plan, f"{name}:\n{plan}"
