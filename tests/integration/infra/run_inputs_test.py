"""What a run may know of the runs upstream: bounded, and read once for all runs of a group."""

from unittest.mock import patch

from fixtures.flow_driver import FlowDriver, Job
from scheduler_core.interfaces import Store
from scheduler_infra.database import flow_repository


async def test_infra_integration_inputs_are_shared_by_the_runs_of_a_group(store: Store) -> None:
    """All runs of a map know the same, and hold it once."""
    flow = FlowDriver(store)
    await flow.task("list")
    await flow.task("copy", "list", map_over="[1, 2, 3]")
    runs = await flow.carry_out(await flow.trigger("list"), lambda name, run: Job({"big": "x" * 1000}))
    async with store.autocommit() as work:
        inputs = await work.flows.inputs([run.id for run in runs["copy"]])
    known = [inputs[run.id].upstream for run in runs["copy"]]
    assert known[1][0].result == {"big": "x" * 1000}
    assert all(each is known[0] for each in known)


async def test_infra_integration_inputs_are_refused_when_they_are_too_much(store: Store) -> None:
    """Results that are more than can be handed on are left out, and their size is told."""
    flow = FlowDriver(store)
    await flow.task("load", shards=5)
    await flow.task("sum", "load")
    runs = await flow.carry_out(await flow.trigger("load"), lambda name, run: Job("x" * 100))
    sum_id = runs["sum"][0].id
    with patch.object(flow_repository, "INPUT_BYTES_MAX", 500):
        async with store.autocommit() as work:
            refused = (await work.flows.inputs([sum_id]))[sum_id]
    assert refused.bytes_refused == 5 * 102
    assert (refused.upstream[0].result, refused.upstream[0].results) == (None, None)
    async with store.autocommit() as work:
        taken = (await work.flows.inputs([sum_id]))[sum_id]
    assert (taken.bytes_refused, taken.upstream[0].results) == (None, ("x" * 100,) * 5)
