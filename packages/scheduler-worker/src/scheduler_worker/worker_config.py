"""Settings of the worker."""

import math
import re
from collections.abc import Iterator
from typing import Annotated, ClassVar

import msgspec

from scheduler_core.config import ConfigSection, setting
from scheduler_core.decisions.egress_rules import EgressPolicy, allow_entry
from scheduler_core.decisions.label_rules import label_problem
from scheduler_core.decisions.size_text import parse_size

LEASE_TO_HEARTBEAT_MIN = 3
"""Two renewals may fail before the third has to succeed: below that, one slow answer would cost the session."""

Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
Bytes = Annotated[int, msgspec.Meta(ge=1024, le=256 * 1024 * 1024)]
WorkerId = Annotated[str, msgspec.Meta(max_length=200)]
QueueName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]

JOB_ENVIRONMENT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "PYTHONPATH",
    "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""The variables of the worker's environment that jobs get unless it is configured otherwise."""

_RESOURCE = re.compile(r"[a-z][a-z0-9_]{0,49}")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


class WorkerConfig(ConfigSection):
    """How much one worker takes, and how it treats what it runs."""

    section: ClassVar[str] = "worker"

    enabled: bool = setting(True, "Whether `scheduler up` runs the worker; the script scheduler-worker always does.")
    worker_id: WorkerId = setting(
        "", "Name of this worker, held by one live process at a time; empty makes one from host name and process id."
    )
    max_concurrent_tasks: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = setting(
        10, "How many runs the worker holds at once: its places.", live=True
    )
    processes: Annotated[int, msgspec.Meta(ge=1, le=256)] = setting(
        1,
        "How many processes `scheduler-worker` runs, each a worker of its own with so many places; the worker ids end "
        "with -1, -2 and so on. `scheduler up` runs just one.",
    )
    queues: Annotated[tuple[QueueName, ...], msgspec.Meta(min_length=1, max_length=100)] = setting(
        ("default",), "The queues that the worker takes runs from."
    )
    tags: Annotated[tuple[str, ...], msgspec.Meta(max_length=100)] = setting(
        (),
        "What the worker is or has, such as gpu or eu; tasks name tags that a worker must, should or must not have.",
    )
    resources: Annotated[dict[str, float | str], msgspec.Meta(max_length=100)] = setting(
        {},
        'What runs may request of the worker, such as { gpu = 2, memory = "4GB" }; K, M, G and T are powers of 1024. '
        "It reports by itself cpu (cores that it may use), memory and disk (bytes: all memory, free disk where it was "
        "started) unless they stand here.",
    )
    heartbeat_interval_seconds: Seconds = setting(
        10.0, "How often the lease is renewed and compared with what the worker really runs."
    )
    lease_seconds: Seconds = setting(
        30.0, "How long the runs of a silent worker stay its own; at least three times the heartbeat interval."
    )
    poll_interval_seconds: Seconds = setting(
        5.0,
        "How often the worker looks for work that nobody has rung it for: the greatest delay while rings are lost.",
        live=True,
    )
    drain_seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = setting(
        30.0, "How long runs may go on after the worker was told to stop; the rest is handed back."
    )
    kill_grace_seconds: Annotated[float, msgspec.Meta(ge=0, le=600)] = setting(
        5.0, "How long a job that is stopped has between SIGTERM and SIGKILL."
    )
    allow_root: bool = setting(False, "Whether the worker may run as root, which gives every job the whole machine.")
    output_limit_bytes: Bytes = setting(1_048_576, "How much output of one attempt is kept; the rest is counted only.")
    output_interval_seconds: Annotated[float, msgspec.Meta(gt=0, le=60)] = setting(
        0.3, "How often the output of running jobs is stored."
    )
    result_limit_bytes: Bytes = setting(
        1_048_576, "How large a run's result may be as JSON; a larger one makes the run FAILED."
    )
    flush_interval_seconds: Annotated[float, msgspec.Meta(ge=0, le=1)] = setting(
        0.003, "How long a finished run waits for others to be reported with, while others still run."
    )
    batch_size_max: Annotated[int, msgspec.Meta(ge=1, le=5000)] = setting(
        500, "How many runs one statement takes or reports at most."
    )
    python_path: tuple[str, ...] = setting(
        (".",), "Directories from which python tasks import their modules, before the installed packages."
    )
    python_children_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = setting(
        16, "How many sync python functions run at once, each in a child process; more wait for a free child."
    )
    python_child_runs_max: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = setting(
        1000, "After how many runs a child process is replaced, so that leaks of the jobs do not add up."
    )
    python_child_age_seconds: Annotated[float, msgspec.Meta(gt=0, le=604_800)] = setting(
        3600.0, "How old a child process may be when it begins a run."
    )
    python_child_memory_max: str = setting(
        "1GB", "How much memory a child process may have after a run; one that has more is replaced."
    )
    python_threads_max: Annotated[int, msgspec.Meta(ge=1, le=1000)] = setting(
        16, "How many python functions with isolation thread run at once in threads of the worker; more wait."
    )
    python_modules: tuple[str, ...] = setting(
        ("*",),
        "The modules and packages whose functions python tasks may call. * stands for all but those that belong to "
        "Python itself and to the scheduler.",
    )
    python_warm_modules: tuple[str, ...] = setting(
        (), "Modules that a child process imports when it is started, so that no run has to wait for them."
    )
    http_body_limit_bytes: Bytes = setting(65_536, "How much of an HTTP response's body is kept in the result.")
    http_ports: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=65_535)], ...], msgspec.Meta(max_length=1000)] = (
        setting((80, 443, 8080, 8443), "The ports that http tasks may call; empty means all.")
    )
    http_allow: Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)] = setting(
        (),
        "What http tasks may call besides public addresses: addresses, networks such as 10.1.0.0/16 and hosts, each on "
        "the ports of http_ports, or with one of its own such as build.example.org:9000.",
    )
    http_ca_file: str = setting(
        "",
        "PEM file of authorities that http tasks trust besides those of the system; certificates are always verified.",
    )
    shell_enabled: bool = setting(
        False, "Whether the worker runs shell tasks, which may start every program that its user may start."
    )
    job_environment: Annotated[tuple[str, ...], msgspec.Meta(max_length=200)] = setting(
        JOB_ENVIRONMENT,
        "The variables of the worker's environment that its jobs get; all others they do not. A name may end with *.",
    )
    run_as_users: Annotated[tuple[str, ...], msgspec.Meta(max_length=200)] = setting(
        (), "The users that shell tasks may run as (run_as). The worker has to be root for that."
    )
    run_dir: str = setting(
        "",
        "Where each run of a program gets a directory of its own while it lasts; empty is runs in the state directory.",
    )
    control_groups: bool = setting(
        True, "Whether each program is put into a control group (v2) of its own where the worker may make them."
    )

    def problems(self) -> list[str]:
        """Queues of other workers, tags and resources, a lease too short for its heartbeat, results too small."""
        found = [
            f"queues names {name!r}; queues that begin with @ are each the own queue of a worker. Use another name."
            for name in self.queues
            if name.startswith("@")
        ]
        found += self._tag_problems()
        found += self._resource_problems()
        found += self._http_problems()
        found += self._python_problems()
        shortest = LEASE_TO_HEARTBEAT_MIN * self.heartbeat_interval_seconds
        if self.lease_seconds < shortest:
            found.append(
                f"lease_seconds is {self.lease_seconds:g}, less than {LEASE_TO_HEARTBEAT_MIN} times "
                f"heartbeat_interval_seconds ({self.heartbeat_interval_seconds:g}): one slow answer would cost the "
                f"session. Set it to {shortest:g} or more, or lower the heartbeat interval."
            )
        if self.http_body_limit_bytes > self.result_limit_bytes // 2:
            found.append(
                f"http_body_limit_bytes is {self.http_body_limit_bytes}, more than half of result_limit_bytes "
                f"({self.result_limit_bytes}), which has to hold the body with its escapes. Lower it."
            )
        return found

    def resource_amounts(self) -> dict[str, float]:
        """The resources that are configured, as numbers."""
        return {name: _amount(value) for name, value in self.resources.items()}

    def egress_policy(self) -> EgressPolicy:
        """What http tasks may call; ValueError for entries that `problems` names."""
        return EgressPolicy.of(self.http_ports, self.http_allow)

    def _http_problems(self) -> Iterator[str]:
        for text in self.http_allow:
            try:
                allow_entry(text)
            except ValueError as error:
                yield f"http_allow: {error}"

    def _tag_problems(self) -> Iterator[str]:
        for tag in self.tags:
            if (problem := label_problem("tag", tag)) is not None:
                yield f"tags: {problem}"

    def _resource_problems(self) -> Iterator[str]:
        for name, value in self.resources.items():
            if not _RESOURCE.fullmatch(name):
                yield (
                    f"resources names {name[:50]!a}. Use 1 to 50 lower-case letters, digits and '_', beginning with a "
                    "letter."
                )
                continue
            try:
                amount = _amount(value)
            except ValueError as error:
                yield f"resources: {name} cannot be used: {error}"
                continue
            if not (amount > 0 and math.isfinite(amount)):
                yield (
                    f"resources: {name} is {amount:g}. Give an amount above 0, or leave it out; no run that requests "
                    "it is given to this worker then."
                )

    def _python_problems(self) -> Iterator[str]:
        for name in self.python_modules:
            if name != "*" and not _MODULE.fullmatch(name):
                yield f"python_modules names {name[:100]!r}. Name modules or packages such as shop.reports, or *."
        for name in self.python_warm_modules:
            if not _MODULE.fullmatch(name):
                yield f"python_warm_modules names {name[:100]!r}. Name modules such as shop.reports."
        try:
            parse_size(self.python_child_memory_max)
        except ValueError as error:
            yield f"python_child_memory_max cannot be used: {error}"


def _amount(value: float | str) -> float:
    return parse_size(value) if isinstance(value, str) else value
