"""The connection to the API: retries that are safe, and errors that help."""

import socket
import threading

import pytest

from fixtures.fake_api import HANG_UP, Answer, FakeApi, page_of
from scheduler_api.client.api_client import ApiClient
from scheduler_api.client.client_error import NotAnApiError, RefusedError, ServerUnreachableError, UsageError
from scheduler_core.runtime.exit_code import ExitCode


def test_request_keeps_one_connection_and_sends_the_key(fake_api: FakeApi) -> None:
    """Several requests share one connection, and each carries the key."""
    fake_api.answer("GET", "/api/v1/tasks", page_of())
    with ApiClient(fake_api.address, "k") as api:
        api.get("tasks", limit=5, status=None, queue=["a", "b"])
        api.get("tasks")
    first, second = fake_api.requests
    assert first.connection == second.connection
    assert first.headers["Authorization"] == "Bearer k"
    assert first.query == {"limit": ["5"], "queue": ["a", "b"]}


def test_get_sends_again_when_the_connection_breaks(fake_api: FakeApi) -> None:
    """A read whose connection breaks is repeated, so a server that closes idle connections is not noticed."""
    fake_api.answer("GET", "/api/v1/tasks", HANG_UP, page_of("x"))
    with ApiClient(fake_api.address, None) as api:
        assert api.get("tasks") == page_of("x")


def test_post_without_key_is_sent_once_when_the_connection_breaks(fake_api: FakeApi) -> None:
    """A POST that might have been carried out is not repeated, and the error says so."""
    fake_api.answer("POST", "/api/v1/tasks", HANG_UP)
    with ApiClient(fake_api.address, None) as api, pytest.raises(ServerUnreachableError, match="not known"):
        api.post("tasks", body={})
    assert len(fake_api.requests) == 1


def test_post_idempotent_repeats_with_the_same_key(fake_api: FakeApi) -> None:
    """A repeated POST carries the same Idempotency-Key, so the server does the work once."""
    fake_api.answer("POST", "/api/v1/tasks", HANG_UP, {"id": 1})
    with ApiClient(fake_api.address, None) as api:
        assert api.post("tasks", body={"name": "a"}, idempotent=True) == {"id": 1}
    keys = {received.headers["Idempotency-Key"] for received in fake_api.requests}
    assert len(fake_api.requests) == 2
    assert len(keys) == 1


def test_get_quotes_names(fake_api: FakeApi) -> None:
    """A name with a slash stays one segment of the path."""
    fake_api.answer("GET", "/api/v1/tasks/a%2Fb%20c", {"id": 1})
    with ApiClient(fake_api.address + "/", None) as api:
        assert api.get("tasks", "a/b c") == {"id": 1}


def test_get_nobody_listens_names_the_remedy() -> None:
    """A refused connection is an error of reach that names the address and what to type."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with ApiClient(address, None) as api, pytest.raises(ServerUnreachableError) as caught:
            api.get("tasks")
    assert address in str(caught.value)
    assert "scheduler up" in str(caught.value)
    assert caught.value.exit_code == ExitCode.UNREACHABLE


def test_get_silent_server_times_out() -> None:
    """A server that accepts and says nothing costs the request time-out, no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with (
            ApiClient(address, None, timeout_seconds=0.1) as api,
            pytest.raises(ServerUnreachableError, match=r"within 0\.1 s"),
        ):
            api.get("tasks")


def test_get_server_that_is_not_http_is_told() -> None:
    """A program that speaks another protocol gives an error of reach, not a traceback."""

    def serve() -> None:
        for _ in range(3):
            connection, _address = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"\x00\x01 garbage\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with (
            ApiClient(f"http://127.0.0.1:{server.getsockname()[1]}", None, timeout_seconds=5) as api,
            pytest.raises(ServerUnreachableError),
        ):
            api.get("tasks")
        thread.join(5)


def test_get_page_of_another_program_is_told(fake_api: FakeApi) -> None:
    """HTML where JSON belongs means that another program listens there."""
    fake_api.answer("GET", "/api/v1/tasks", Answer(b"<html>", 200, "text/html"))
    with ApiClient(fake_api.address, None) as api, pytest.raises(NotAnApiError, match="text/html"):
        api.get("tasks")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.USAGE),
        (401, ExitCode.NOT_AUTHORIZED),
        (403, ExitCode.NOT_AUTHORIZED),
        (404, ExitCode.NOT_FOUND),
        (409, ExitCode.CONFLICT),
        (422, ExitCode.USAGE),
        (500, ExitCode.FAILURE),
        (503, ExitCode.UNREACHABLE),
    ],
)
def test_get_problem_leads_to_the_documented_exit_code(fake_api: FakeApi, status: int, code: ExitCode) -> None:
    """Each kind of refusal has its exit code, and the API's document is kept whole."""
    document = {"title": "t", "detail": "why", "status": status, "extra": 1}
    fake_api.answer("GET", "/api/v1/tasks", Answer(document, status, "application/problem+json"))
    with ApiClient(fake_api.address, None) as api, pytest.raises(RefusedError) as caught:
        api.get("tasks")
    assert caught.value.exit_code == code
    assert caught.value.problem.items() >= {"title": "t", "extra": 1}.items()
    assert str(caught.value).startswith("why")


def test_get_without_problem_document_is_refused(fake_api: FakeApi) -> None:
    """A bare error page still gives a paragraph with the status."""
    fake_api.answer("GET", "/api/v1/tasks", Answer(b"Bad Gateway", 502, "text/plain"))
    with ApiClient(fake_api.address, None) as api, pytest.raises(RefusedError, match="status 502"):
        api.get("tasks")


def test_refused_error_tells_every_problem_of_the_body(fake_api: FakeApi) -> None:
    """All validation errors are shown, each with its field."""
    errors = [{"field": "schedule.cron", "message": "has 4 fields"}, {"field": "name", "message": "is empty"}]
    fake_api.answer("GET", "/api/v1/tasks", Answer({"detail": "2 problems", "errors": errors}, 422))
    with ApiClient(fake_api.address, None) as api, pytest.raises(RefusedError) as caught:
        api.get("tasks")
    assert str(caught.value) == "2 problems\n  schedule.cron: has 4 fields\n  name: is empty"


@pytest.mark.parametrize("server", ["localhost:8080", "ftp://x", "http://", "http://x:port", "http://x?y"])
def test_client_bad_address_is_usage(server: str) -> None:
    """An address that cannot work is refused before anything is sent."""
    with pytest.raises(UsageError, match=r"http://127\.0\.0\.1:8080"):
        ApiClient(server, None)


@pytest.mark.parametrize("key", ["a\nInjected: 1", "schlüssel"])
def test_client_bad_key_is_usage(key: str) -> None:
    """A key cannot smuggle a header in."""
    with pytest.raises(UsageError, match="key"):
        ApiClient("http://127.0.0.1:1", key)


def test_pages_follow_the_cursor_to_the_end(fake_api: FakeApi) -> None:
    """Every page is fetched once, by the cursor of the one before."""
    fake_api.answer("GET", "/api/v1/tasks", page_of(1, next_cursor="c1"), page_of(2))
    with ApiClient(fake_api.address, None) as api:
        assert [page["items"] for page in api.pages("tasks")] == [[1], [2]]
    assert [received.query.get("cursor") for received in fake_api.requests] == [None, ["c1"]]
