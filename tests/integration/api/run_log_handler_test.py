"""Reading what runs print over the API."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from fixtures.api_app import Api
from fixtures.factories import build_plan, claim, create_runs, create_task, open_session, report
from scheduler_core.interfaces import Store
from scheduler_core.models import ClaimedRun, RunKey, RunLogEntry, RunProgress

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LINES = [f"line {number}{' ERROR' if number % 4 == 0 else ''}\n" for number in range(1, 11)]


def entry(run_id: int, sequence: int, lines: list[str], first_line: int) -> RunLogEntry:
    """A piece whose lines come one second after another."""
    return RunLogEntry(
        run_id=run_id,
        attempt=1,
        sequence=sequence,
        stream="stdout",
        logged_at=NOON,
        content="".join(lines),
        line_offsets=[1000 * place for place in range(len(lines))],
        first_line=first_line,
        first_byte=0,
    )


async def begun(store: Store) -> tuple[int, ClaimedRun]:
    """A session and a run that it carries out, with ten lines of output in pieces of four."""
    await create_runs(store, build_plan(await create_task(store)))
    session = await open_session(store)
    (run,) = await claim(store, session)
    pieces = [entry(run.id, 1 + start // 4, LINES[start : start + 4], start + 1) for start in range(0, 10, 4)]
    async with store.autocommit() as work:
        await work.run_logs.append(session, pieces)
    return session, run


def events_of(text: str) -> list[tuple[str | None, str, Any]]:
    """Id, name and data of each event of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "event" in fields:
            found.append((fields.get("id"), fields["event"], json.loads(fields["data"])))
    return found


async def test_api_integration_reads_parts_of_logs(api: Api, store: Store) -> None:
    """The end, a range of lines, an instant and a search give the lines that are asked for, and nothing else."""
    _, run = await begun(store)
    path = f"/api/v1/task-runs/{run.id}/logs"

    async def lines(**query: Any) -> str:
        answer = await api.get(path, params=query, headers={"Accept": "text/plain"})
        assert answer.status_code == 200, answer.text
        return answer.text

    assert await lines(tail=3) == "".join(LINES[7:])
    assert await lines(tail=100) == "".join(LINES)
    assert await lines(from_line=4, lines=3) == "".join(LINES[3:6])
    assert await lines(from_line=11) == ""
    assert await lines(since="2026-01-01T12:00:02Z") == "".join(LINES[2:4] + LINES[6:8])
    assert await lines(search="ERROR") == LINES[3] + LINES[7]
    assert await lines(pattern=r"^line 1\d?$") == LINES[0] + LINES[9]
    assert await lines(stream="stderr") == ""
    assert await lines(attempt=1) == "".join(LINES)
    found = (await api.get(path, params={"search": "ERROR", "limit": 1})).json()
    assert [(item["lines"], item["content"]) for item in found["items"]] == [([4], LINES[3])]
    rest = (await api.get(path, params={"search": "ERROR", "cursor": found["next_cursor"]})).json()
    assert ([item["lines"] for item in rest["items"]], rest["next_cursor"]) == ([[8]], None)
    (middle,) = (await api.get(path, params={"from_line": 6, "lines": 2})).json()["items"]
    assert (middle["first_line"], middle["line_offsets"], middle["content"]) == (6, [1000, 2000], "".join(LINES[5:7]))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"tail": 0}, "tail"),
        ({"tail": 1, "search": "x"}, "search"),
        ({"lines": 5}, "lines"),
        ({"stream": "stdin"}, "stream"),
        ({"pattern": "("}, "pattern"),
        ({"search": ""}, "search"),
    ],
)
async def test_api_integration_refuses_parts_of_logs(api: Api, store: Store, query: dict[str, Any], field: str) -> None:
    """What cannot be asked for is a 422 that names the parameter."""
    _, run = await begun(store)
    answer = await api.get(f"/api/v1/task-runs/{run.id}/logs", params=query)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_api_integration_follows_a_run_to_its_end(api: Api, store: Store) -> None:
    """A follower gets each piece once, progress and the end, and may come back to any place, also another server's."""
    session, run = await begun(store)
    path = f"/api/v1/task-runs/{run.id}/logs"
    stream = {"Accept": "text/event-stream"}
    following = asyncio.create_task(api.get(path, headers=stream))
    async with store.autocommit() as work:
        await work.run_logs.report_progress(session, {RunKey(run.id, 1): RunProgress(share=0.5)}, NOON)
        await work.run_logs.append(session, [entry(run.id, 4, ["last\n"], 11)])
        await work.task_runs.finish(session, [report(run)])
    answer = await asyncio.wait_for(following, 30)

    assert answer.headers["content-type"].startswith("text/event-stream")
    events = events_of(answer.text)
    logs = [(key, data["content"]) for key, name, data in events if name == "log"]
    assert "".join(content for _, content in logs) == "".join(LINES) + "last\n"
    assert ("progress", 0.5) in [(name, data.get("share")) for _, name, data in events]
    assert events[-1] == ("end", "end", {"status": "COMPLETED"})

    again = events_of((await api.get(path, headers={**stream, "Last-Event-ID": str(logs[1][0])})).text)
    assert [(key, data["content"]) for key, name, data in again if name == "log"] == logs[2:]
    assert (await api.get(path, headers={**stream, "Last-Event-ID": "end"})).status_code == 204
    tail = events_of((await api.get(path, params={"tail": 2}, headers=stream)).text)
    assert [data["content"] for _, name, data in tail if name == "log"] == [LINES[9], "last\n"]
    assert (await api.get(path, headers={**stream, "Last-Event-ID": "?"})).status_code == 422
    assert (await api.get("/api/v1/task-runs/999/logs", headers=stream)).status_code == 404
