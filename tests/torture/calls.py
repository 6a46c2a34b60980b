"""Calls of the API that are repeated until they are answered, and what was answered."""

import http.client
import threading
import time
from typing import Any

from fixtures.processes import Answer, SchedulerProcesses
from fixtures.recorded_history import Call

_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
_PAUSE_SECONDS = 0.1


class Caller:
    """Repeats each call with the same Idempotency-Key until it is answered; every answer is a promise to be held."""

    def __init__(self, processes: SchedulerProcesses, seed: int = 0) -> None:
        self._processes = processes
        self._seed = seed
        self._lock = threading.Lock()
        self._number = 0
        self._kwargs: dict[str, dict[str, Any]] = {}
        self.calls: list[Call] = []
        self.repeated = 0

    def trigger(self, task: str, count: int = 1) -> list[int]:
        """So many runs of a task that was made here; their ids. Their parameters name the call."""
        key = self._next_key()
        kwargs = self._kwargs[task]
        parameters = {"kwargs": {**kwargs, "key": key}} if kwargs else {"values": {"key": key}}
        body = {"parameters": parameters, **({"count": count} if count > 1 else {})}
        answer = self.call("POST", f"/api/v1/tasks/{task}/trigger", body, key)
        run_ids = [item["id"] for item in answer.get("items", [answer])]
        with self._lock:
            self.calls.append(Call(key, tuple(run_ids)))
        return run_ids

    def create_task(self, name: str, **fields: Any) -> int:
        """A task; its id."""
        self._kwargs[name] = fields["parameters"].get("kwargs", {})
        made: int = self.call("POST", "/api/v1/tasks", {"name": name, **fields}, self._next_key())["id"]
        return made

    def call(self, method: str, path: str, body: Any, key: str = "", seconds: float = 90.0) -> Any:
        """The body of the first answer that is final; AssertionError when it is a refusal, or none comes in time."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self._asked(method, path, body, key)
            if answer is not None and answer.status not in _AGAIN:
                assert answer.status in (200, 201), f"{path} was answered with {answer}"
                return answer.body
            assert time.monotonic() < deadline, f"{path} was not answered within {seconds:g} s: {answer}"
            self.repeated += 1
            time.sleep(_PAUSE_SECONDS)

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
