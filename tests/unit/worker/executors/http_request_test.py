"""What is sent after a redirect."""

import pytest

from fixtures.http_target import HttpTarget, running_target
from fixtures.worker import CollectedOutput, make_context
from scheduler_core.decisions.egress_rules import EgressPolicy
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.http_executor import HttpExecutor
from scheduler_worker.executors.http_request import Call, RedirectRefusedError, first_call

POST = Call("POST", "https://a.example/x/y?z", {"Authorization": "secret", "Content-Type": "text/plain"}, b"body")
BARE = Call("GET", "https://a.example/", {}, None)


@pytest.mark.parametrize(
    ("status", "location", "call"),
    [
        (307, "/z", POST._replace(url="https://a.example/z")),
        (308, "https://a.example:443/z", POST._replace(url="https://a.example:443/z")),
        (302, "z", Call("GET", "https://a.example/x/z", {"Authorization": "secret"}, None)),
        (303, "?q", Call("GET", "https://a.example/x/y?q", {"Authorization": "secret"}, None)),
        (307, "https://b.example/", Call("POST", "https://b.example/", {"Content-Type": "text/plain"}, b"body")),
        (
            307,
            "https://a.example:444/",
            Call("POST", "https://a.example:444/", {"Content-Type": "text/plain"}, b"body"),
        ),
        (301, "//b.example/", Call("GET", "https://b.example/", {}, None)),
    ],
)
def test_worker_unit_http_redirected_keeps_secrets_on_their_server(status: int, location: str, call: Call) -> None:
    """Method and body follow as browsers do it; headers that may be secret go to no other server."""
    assert POST.redirected(status, location) == call


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://a.example/", "from https to http://a.example/ is not followed, as it gives up encryption"),
        ("https://user:hunter2@a.example/", "not followed: 'https://a.example/' has a user or password in it"),
        ("file:///etc/passwd", "not followed: 'file:///etc/passwd' is no URL"),
        ("https://[::", "not followed: 'https://[::' is no URL: its host cannot be read"),
        ("//[v6.x/", "not followed: '//[v6.x/' is no URL"),
        ("https://a.example:99999/?hunter2", "not followed: 'https://a.example:99999/' is no URL: its port"),
    ],
)
def test_worker_unit_http_redirected_refuses(location: str, told: str) -> None:
    """What no task may call no redirect may call, either, nor give up encryption."""
    with pytest.raises(RedirectRefusedError, match="redirect") as refused:
        BARE.redirected(302, location)

    assert told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_worker_unit_http_first_call_leaves_headers_of_the_task() -> None:
    """A header of the task, in any case, stands in for the one that would be sent by default."""
    call = first_call({"url": "http://a", "headers": {"USER-Agent": "mine", "traceparent": "own"}, "body": {}}, "given")

    assert call.headers == {
        "USER-Agent": "mine",
        "traceparent": "own",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "content-type": "application/json",
    }


@pytest.fixture
def policy() -> EgressPolicy:
    """Loopback may be called."""
    return EgressPolicy.of([], ["127.0.0.1"])


@pytest.mark.parametrize(
    ("parameters", "status", "error"),
    [
        ({"redirects_max": 1}, TaskRunStatus.COMPLETED, None),
        (
            {"redirects_max": 0},
            TaskRunStatus.FAILED,
            "The response was 302 There; expected was 200 to 299. It redirects to /json, and redirects_max is 0.",
        ),
        ({"redirects_max": 1, "expected_status": 302}, TaskRunStatus.COMPLETED, None),
    ],
)
async def test_worker_unit_http_follows_as_many_redirects_as_the_task_says(
    parameters: dict[str, int], status: TaskRunStatus, error: str | None, policy: EgressPolicy
) -> None:
    """No redirect is followed by itself, and none that the task expects."""
    async with running_target() as target:
        target.location = "/json"
        outcome = await _call(policy, target, parameters)

    assert (outcome.status, outcome.error) == (status, error)
    assert outcome.http_status == (302 if parameters != {"redirects_max": 1} else 200)


async def test_worker_unit_http_ends_a_circle_of_redirects(policy: EgressPolicy) -> None:
    """A server that redirects for ever is left after as many redirects as the task says."""
    async with running_target() as target:
        target.location = "/to/302"
        outcome = await _call(policy, target, {"redirects_max": 3})

    assert (outcome.status, outcome.http_status, len(target.requests)) == (TaskRunStatus.FAILED, 302, 4)


async def _call(policy: EgressPolicy, target: HttpTarget, parameters: dict[str, int]) -> RunOutcome:
    executor = HttpExecutor(policy)
    given = {"url": f"{target.url}/to/302", **parameters}
    assert executor.check(given) == []
    try:
        return await executor.execute(given, make_context(), CollectedOutput())
    finally:
        await executor.close()
