"""Calls of the API that are sent until they are answered, and what was answered."""

import http.client
import itertools
import threading
import time
from typing import Any

from fixtures.processes import Answer, SchedulerProcesses
from fixtures.recorded_history import Call, Cancel

_REFUSED = 409
_AGAIN = frozenset({_REFUSED, 429, 500, 502, 503, 504})
_PAUSE_SECONDS = 0.1


class Caller:
    """Sends each call until it is answered, with the same Idempotency-Key unless that is left out.

    Every answer is a promise to be held.
    """

    def __init__(self, processes: SchedulerProcesses, seed: int = 0) -> None:
        self._processes = processes
        self._seed = seed
        self._lock = threading.Lock()
        self._number = 0
        self._kwargs: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.cancels: list[Cancel] = []
        self.repeated = 0
        self.without_key = 0
        self.chosen_tasks: set[int] = set()

    def trigger(self, task: str, count: int = 1, *, has_key: bool = True) -> list[int]:
        """So many runs of a task that was made here; their ids. Their parameters name the call.

        Without a key one run of a task that stands alone is made by a statement of its own, and each time that the call
        is sent may make a run.
        """
        key = self._next_key()
        kwargs = self._kwargs[task]
        parameters = {"kwargs": {**kwargs, "key": key}} if kwargs else {"values": {"key": key}}
        body = {"parameters": parameters, **({"count": count} if count > 1 else {})}
        answer, sent = self._answered("POST", f"/api/v1/tasks/{task}/trigger", body, key if has_key else "")
        run_ids = [item["id"] for item in answer.get("items", [answer])]
        with self._lock:
            self.calls.append(Call(key, tuple(run_ids), 1 if has_key else sent))
            self.without_key += not has_key
        return run_ids

    def cancel(self, run_id: int) -> str | None:
        """Ask that a run ends, and what its status was then; None where it had ended otherwise before."""
        answer, _ = self._answered("POST", f"/api/v1/task-runs/{run_id}/cancel", {}, may_be_refused=True)
        status: str | None = answer.get("status")
        if status not in ("CANCELLED", "RUNNING"):
            return None
        with self._lock:
            self.cancels.append(Cancel(run_id, status))
        return status

    def create_task(self, name: str, **fields: Any) -> int:
        """A task; its id."""
        self._kwargs[name] = fields["parameters"].get("kwargs", {})
        made: int = self.call("POST", "/api/v1/tasks", {"name": name, **fields}, self._next_key())["id"]
        if "strategy" in fields:
            self.chosen_tasks.add(made)
        return made

    def call(self, method: str, path: str, body: Any, key: str = "", seconds: float = 90.0) -> Any:
        """The body of the first answer that is final; AssertionError when it is a refusal, or none comes in time."""
        return self._answered(method, path, body, key, seconds)[0]

    def _answered(
        self,
        method: str,
        path: str,
        body: Any,
        key: str = "",
        seconds: float = 90.0,
        *,
        may_be_refused: bool = False,
    ) -> tuple[Any, int]:
        deadline = time.monotonic() + seconds
        for sent in itertools.count(1):
            answer = self._asked(method, path, body, key)
            if answer is not None and may_be_refused and answer.status == _REFUSED:
                return answer.body, sent
            if answer is not None and answer.status not in _AGAIN:
                assert answer.status in (200, 201), f"{path} was answered with {answer}"
                return answer.body, sent
            assert time.monotonic() < deadline, f"{path} was not answered within {seconds:g} s: {answer}"
            self.repeated += 1
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError("unreachable")

    def _asked(self, method: str, path: str, body: Any, key: str) -> Answer | None:
        try:
            return self._processes.request(method, path, body, {"Idempotency-Key": key} if key else {})
        except (OSError, http.client.HTTPException):
            # Nobody knows whether it has happened: that is what the key is for.
            return None

    def _next_key(self) -> str:
        with self._lock:
            self._number += 1
            return f"{self._seed}-{self._number}"
