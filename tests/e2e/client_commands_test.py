"""Every client command against a real system, with its exit code."""

import contextlib
import signal
import subprocess
from pathlib import Path

from fixtures.processes import SCRIPTS, SchedulerProcesses, wait_until


def test_embedded_system_starts_each_component_once_and_stops_clean(scheduler_processes: SchedulerProcesses) -> None:
    """D1, D20: one command runs everything, with one worker, and Ctrl-C ends it with 0; the second start is quick."""
    up = scheduler_processes.start_up()
    (worker,) = scheduler_processes.run_json("worker", "list")["items"]
    assert worker["state"] == "ALIVE"
    assert scheduler_processes.run("doctor").returncode == 0
    up.interrupt()
    assert up.wait() == 0
    assert not (scheduler_processes.state_dir / "postgresql" / "data" / "postmaster.pid").exists()
    again = scheduler_processes.start("scheduler", "up")
    again.wait_for_output("Scheduler is ready", 20)
    assert len(scheduler_processes.run_json("worker", "list")["items"]) >= 1


def test_client_commands_do_what_they_say(scheduler_processes: SchedulerProcesses) -> None:
    """D17: create, show, update, pause, resume, trigger, wait, logs, retry, cancel, delete work as they are typed."""
    scheduler_processes.start_up()

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return scheduler_processes.run(*words)

    assert run("task", "create", "hello", "--command", "echo hi; exit $CODE", "--max-retries", "0").returncode == 0
    assert scheduler_processes.run_json("task", "show", "hello")["parameters"]["command"] == "echo hi; exit $CODE"
    assert run("task", "create", "hello", "--command", "true").returncode == 5
    assert run("task", "show", "nothing").returncode == 3
    assert run("task", "create", "bad", "--command", "true", "--schedule", "61 * * * *").returncode == 2

    assert run("task", "update", "hello", "--priority", "9", "--schedule", "0 0 1 1 *").returncode == 0
    task = scheduler_processes.run_json("task", "show", "hello")
    assert (task["priority"], task["version"], task["schedule"]["cron"]) == (9, 2, "0 0 1 1 *")
    assert run("task", "pause", "hello").returncode == 0
    assert scheduler_processes.run_json("task", "show", "hello")["status"] == "PAUSED"
    assert run("task", "resume", "hello").returncode == 0

    assert run("task", "trigger", "hello", "--wait").returncode == 0
    (done,) = scheduler_processes.run_json("run", "list", "--task", "hello")["items"]
    assert run("run", "logs", str(done["id"])).stdout == "hi\n"
    assert run("run", "retry", str(done["id"])).returncode == 0
    failing = run("task", "trigger", "hello", "--wait", "--param", "command=exit 3")
    assert failing.returncode == 10, failing.stderr
    latest = scheduler_processes.run_json("run", "list", "--task", "hello")["items"]
    assert latest[0]["error"].startswith("It ended with exit code 3")
    assert latest[1]["retry_of"] == done["id"]
    assert run("run", "cancel", str(done["id"])).returncode == 5
    assert scheduler_processes.run_json("status")

    assert run("task", "create", "after", "--command", "true", "--depends-on", "hello").returncode in (0, 2)
    assert run("task", "delete", "after", "--yes").returncode == 0
    assert run("task", "delete", "hello", "--yes").returncode == 0
    assert run("task", "trigger", "hello").returncode == 3


def test_schedules_are_shown_before_they_are_saved(scheduler_processes: SchedulerProcesses) -> None:
    """simulate needs no server for files; --dry-run stores nothing; show and simulate --task tell the same slots."""
    file = scheduler_processes.work_dir / "tasks.toml"
    file.write_text(
        '[[task]]\nname = "nightly"\ntask_type = "shell"\nparameters = { command = ["true"] }\n'
        'schedule = { cron = "H H * * *", timezone = "Europe/Berlin", on_gap = "skip" }\noverlap = "queue"\n'
    )
    week = ("--from", "2027-03-26", "--to", "2027-04-02", "-o", "json")
    by_file = scheduler_processes.run("simulate", str(file), *week)
    assert by_file.returncode == 0, by_file.stderr
    assert len(by_file.stdout.splitlines()) in (6, 7)  # the clocks may skip one
    assert scheduler_processes.run("simulate", str(file), "--from", "+1d", "--to", "-1d").returncode == 2

    scheduler_processes.start_up()
    dry = scheduler_processes.run("task", "create", "poll", "--command", "true", "--after-end", "10m", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert "10m after the end of the last run" in dry.stdout
    assert scheduler_processes.run("task", "show", "poll").returncode == 3

    assert scheduler_processes.run("task", "apply", str(file)).returncode == 0
    task = scheduler_processes.run_json("task", "show", "nightly", "--preview")
    assert (task["overlap"], task["schedule"]["on_gap"]) == ("queue", "skip")
    assert task["preview"]["slots"][0]["scheduled_at"] == task["next_run_at"]
    by_server = scheduler_processes.run("simulate", "--task", "nightly", *week)
    assert by_server.stdout == by_file.stdout
    shown = scheduler_processes.run("task", "show", "nightly")
    assert "NEXT (Europe/Berlin)\tUTC\tHERE\tNOTE" in shown.stdout

    flags = ("--every", "15m", "--jitter", "30s", "--misfire", "all", "--misfire-grace", "1h", "--overlap", "skip")
    assert scheduler_processes.run("task", "create", "often", "--command", "true", *flags).returncode == 0
    often = scheduler_processes.run_json("task", "show", "often")
    assert often["schedule"] == {"every": "15m", "jitter": "30s", "timezone": "UTC"}
    assert (often["misfire"], often["misfire_grace_seconds"], often["overlap"]) == ("all", 3600.0, "skip")
    refused = scheduler_processes.run(
        "task", "update", "often", "--schedule", "CRON_TZ=UTC @daily", "--timezone", "Mars"
    )
    assert refused.returncode == 2
    assert "Mars" in refused.stderr


def test_logs_follow_shows_lines_while_the_job_runs(scheduler_processes: SchedulerProcesses) -> None:
    """A follower sees a line before the job has ended, and ends with the run; Ctrl-C in a wait is 130."""
    scheduler_processes.start_up()
    flag = scheduler_processes.work_dir / "go"
    command = f"echo first; while [ ! -e {flag} ]; do sleep 0.1; done; echo last"
    scheduler_processes.run("task", "create", "slow", "--command", command)
    scheduler_processes.run("task", "trigger", "slow")
    follower = scheduler_processes.start("scheduler", "run", "logs", "1", "--follow")
    follower.wait_for_output("first", 15)
    waiter = scheduler_processes.start("scheduler", "run", "wait", "1")
    wait_until(lambda: waiter.is_running, 5, "the waiter runs")
    assert "last" not in follower.output
    flag.touch()
    assert follower.wait(15) == 0
    assert "last" in follower.output
    assert waiter.wait(15) == 0
    scheduler_processes.run("task", "create", "endless", "--command", "sleep 60")
    scheduler_processes.run("task", "trigger", "endless")
    waiter = scheduler_processes.start("scheduler", "run", "wait", "2")
    wait_until(lambda: scheduler_processes.run_json("run", "show", "2")["status"] == "RUNNING", 15, "it runs")
    # A signal that comes while Python still starts is not the command's to answer.
    wait_until(lambda: _speaks_to_somebody(waiter.pid), 15, "the waiter asks the server")
    waiter.send(signal.SIGINT)
    assert waiter.wait(10) == 130
    assert scheduler_processes.run("run", "wait", "2", "--timeout", "0.5").returncode == 6
    # The drain at the end of the test need not wait for it.
    assert scheduler_processes.run("run", "cancel", "2").returncode == 0


def _speaks_to_somebody(pid: int) -> bool:
    """Whether a process has a socket open."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed in this moment
            if str(link.readlink()).startswith("socket:"):
                return True
    return False


def test_commands_without_a_server_name_the_remedy(scheduler_processes: SchedulerProcesses) -> None:
    """With no server there is no traceback: exit code 6 and what to type."""
    done = subprocess.run(
        [str(SCRIPTS / "scheduler"), "run", "list", "--server", "http://127.0.0.1:1"],
        env=scheduler_processes.environment,
        cwd=scheduler_processes.work_dir,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 6
    assert "scheduler up" in done.stderr
    assert "Traceback" not in done.stderr
