"""Processes that die with kill -9, and a broker that restarts."""

import random
import time
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from fixtures.broker import RabbitMQServer
from fixtures.job_lines import JobLine
from fixtures.processes import wait_until
from fixtures.site import Site

LEASE_SECONDS = 6


def test_lost_worker_gives_its_run_to_another(site: Site) -> None:
    """A run whose worker is killed with -9 starts again elsewhere within the lease plus ten seconds."""
    site.start(workers=1)
    victim = site.processes.started[-1]
    site.create_task("long", parameters=site.lines.parameters("test $SCHEDULER_ATTEMPT -gt 1 || sleep 20"))
    run_id = site.trigger("long")
    wait_until(lambda: site.lines.read(), 20, "the job has started")
    site.start_worker("worker-2")
    site.wait_for_workers(2)
    victim.kill()
    killed = time.monotonic()
    run = site.processes.wait_for_run(run_id, seconds=LEASE_SECONDS + 10)
    assert time.monotonic() - killed < LEASE_SECONDS + 10
    assert (run["worker_id"], run["attempt"], run["losses"], run["failures"]) == ("worker-2", 2, 1, 0)
    assert site.lines.read() == [JobLine(run_id, 1), JobLine(run_id, 2)]


def test_second_worker_with_the_same_id_is_refused(site: Site) -> None:
    """A live worker's id cannot be taken; the error names its host and process."""
    site.start(workers=1)
    first = site.processes.started[-1]
    second = site.start_worker("worker-1")
    assert second.wait(20) != 0
    assert f"process {first.pid}" in second.output
    assert first.is_running


def test_worker_comes_back_at_once_after_a_crash(site: Site) -> None:
    """A worker that died and starts again on its host with its id need not wait for the old lease."""
    site.start(workers=1)
    site.create_task("long", parameters=site.lines.parameters("test $SCHEDULER_ATTEMPT -gt 1 || sleep 20"))
    run_id = site.trigger("long")
    wait_until(lambda: site.lines.read(), 20, "the job has started")
    site.processes.started[-1].kill()
    site.start_worker("worker-1")
    assert site.processes.wait_for_run(run_id, seconds=LEASE_SECONDS - 1)["attempt"] == 2


def test_lost_dispatchers_lose_and_double_no_slot(site: Site) -> None:
    """D13: one of two dispatchers is killed ten times; 200 one-second slots have one run each."""
    site.start(dispatchers=2, workers=1)
    dispatchers = [process for process in site.processes.started if process.name.startswith("scheduler-dispatcher")]
    for dispatcher in dispatchers:
        dispatcher.wait_for_output("dispatcher ready")
    tasks = [site.create_task(f"tick-{number}", schedule="* * * * * *") for number in range(10)]
    choice = random.Random(7)
    for _ in range(10):
        time.sleep(choice.uniform(0.2, 1.2))
        victim = dispatchers.pop(choice.randrange(2))
        victim.kill()
        dispatchers.append(site.start_dispatcher())
        dispatchers[-1].wait_for_output("dispatcher ready")
    wait_until(lambda: len(site.lines.read()) >= 220, 60, "220 lines", describe=lambda: str(len(site.lines.read())))
    for task in tasks:
        site.processes.request("POST", f"/api/v1/tasks/{task['id']}/pause")
    runs = [run for task in tasks for run in _runs_of(site, int(str(task["id"])))]
    assert len(runs) >= 200
    for task in tasks:
        slots = sorted(datetime.fromisoformat(run["scheduled_at"]) for run in runs if run["task_id"] == task["id"])
        assert slots == [slots[0] + timedelta(seconds=second) for second in range(len(slots))], task["name"]
    started = site.lines.starts()
    finished = [run["id"] for run in runs if run["status"] == "COMPLETED"]
    assert len(finished) >= 200
    assert Counter(started.values()).keys() == {1}
    assert set(finished) <= set(started)


def test_restarted_broker_loses_and_doubles_nothing(site: Site, rabbitmq_server: RabbitMQServer, amqp_url: str) -> None:
    """D2: RabbitMQ is restarted under work; every run starts once, and afterwards rings are heard again."""
    site.start(workers=2, message_queue_url=amqp_url)
    site.create_task("work", parameters=site.lines.parameters())
    ids = [site.trigger("work") for _ in range(10)]
    rabbitmq_server.restart()
    ids += [site.trigger("work") for _ in range(10)]
    for run_id in ids:
        site.processes.wait_for_run(run_id)

    def rung_within_a_second() -> bool:
        run = site.processes.wait_for_run(site.trigger("work"), seconds=10)
        begun, made = (datetime.fromisoformat(run[key]) for key in ("started_at", "created_at"))
        return begun - made < timedelta(seconds=1)

    wait_until(rung_within_a_second, 30, "rings are heard again")
    assert set(site.lines.starts().values()) == {1}
    assert set(ids) <= set(site.lines.starts())


def _runs_of(site: Site, task_id: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(50):
        page = site.processes.request("GET", f"/api/v1/tasks/{task_id}/runs?limit=100{cursor}").body
        found += page["items"]
        if not page["next_cursor"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    return found
