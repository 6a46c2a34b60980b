"""The workloads by name, in the order in which they are measured."""

from collections.abc import Iterable

from benchmarks import throughput
from benchmarks.workloads import api_load, creation, due_burst, flow_steps, growth, idle, latency
from benchmarks.workloads.figure import Workload

DEFAULT = "W1-bulk"

WORKLOADS: dict[str, Workload] = {
    "W1-bulk": Workload(throughput.bulk, 300, "no-op runs asked for in bulk over HTTP, end to end"),
    "W1-bulk-rabbitmq": Workload(throughput.bulk_over_rabbitmq, 400, "the same with doorbells over RabbitMQ"),
    "W1-create": Workload(creation.bulk_creation, 300, "making runs in bulk alone"),
    "W1-one": Workload(creation.one_by_one, 300, "one by one from one awaited producer"),
    "W1-eight": Workload(creation.by_eight, 300, "one by one from eight coroutines of one process"),
    "W2-latency": Workload(latency.latency, 120, "call to body start at 50 runs a second"),
    "W2-latency-http": Workload(latency.latency_over_http, 120, "the same over HTTP"),
    "W3-due": Workload(due_burst.due_at_once, 300, "1,000 and 10,000 tasks due at one second"),
    "W4-chain": Workload(flow_steps.chain, 120, "a chain of 20"),
    "W4-fan": Workload(flow_steps.fan, 180, "a fan of 1, 200, 1"),
    "W5-idle": Workload(idle.idle, 300, "imports, cold start, CPU and memory of an idle system"),
    "W6-finished": Workload(growth.finished, 5400, "W1 and W3 beside 0, 1 and 10 million finished runs"),
    "W6-workers": Workload(growth.workers, 900, "W1 with 1, 10 and 100 workers"),
    "W6-tasks": Workload(growth.tasks, 600, "an idle dispatcher with 100,000 tasks"),
    "W7-page": Workload(api_load.pages, 3600, "a page of 50 runs out of 10 million"),
    "W7-triggers": Workload(api_load.triggers, 180, "single triggers from 32 clients beside a bare echo"),
}


def chosen(names: Iterable[str]) -> list[str]:
    """The workloads that these names stand for, each once; `W1` is all of W1. ValueError names a wrong one."""
    wanted = set()
    for name in names:
        found = [known for known in WORKLOADS if name.upper() in (known.upper(), known.partition("-")[0].upper())]
        if not found:
            raise ValueError(f"'{name}' is no workload. Known are W1 to W7 and {', '.join(WORKLOADS)}.")
        wanted.update(found)
    return [name for name in WORKLOADS if name in wanted]
