"""The second Ctrl-C."""

from fixtures.ledger import assert_ledger_is_clean
from fixtures.processes import wait_until
from fixtures.site import Site


def test_second_interrupt_leaves_nothing_behind(site: Site) -> None:
    """Two Ctrl-C end everything soon, PostgreSQL and jobs that ignore every signal and cancel included."""
    up = site.processes.start_up()
    (site.processes.work_dir / "stubborn.py").write_text(
        "import asyncio\n\n"
        "async def swallow():\n"
        "    while True:\n"
        "        try:\n"
        "            await asyncio.sleep(100)\n"
        "        except asyncio.CancelledError:\n"
        "            pass\n"
    )
    site.create_task("deaf", parameters=site.lines.parameters("trap '' TERM INT; sleep 300"))
    site.create_task("stubborn", task_type="python", parameters={"callable": "stubborn:swallow"})
    site.trigger("deaf")
    site.processes.wait_for_run(site.trigger("stubborn"), "RUNNING")
    wait_until(lambda: site.lines.read(), 20, "the job has started")

    assert_ledger_is_clean(site.processes)
    up.interrupt()
    up.wait_for_output("Once more to leave at once")
    up.interrupt()

    assert up.wait(30) == 130
    # The fixture names every process that is left.
