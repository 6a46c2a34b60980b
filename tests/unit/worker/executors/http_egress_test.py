"""What HTTP calls can reach: spellings of forbidden addresses, each held against a server that counts connections."""

import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpcore2
import pytest

from fixtures.certificates import Certificates, make_certificates
from fixtures.http_target import HttpTarget, running_target
from fixtures.worker import CollectedOutput, make_context
from scheduler_core.decisions.egress_rules import EgressPolicy
from scheduler_core.interfaces import RunOutcome
from scheduler_core.models import TaskRunStatus
from scheduler_worker.executors.http_executor import HttpExecutor

PUBLIC = "93.184.215.14"
EVERYTHING = EgressPolicy.of([], ["0.0.0.0/0", "::/0"])
NAMES: dict[str, list[str]] = {
    "public.example": [PUBLIC],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "metadata.google.internal": ["169.254.169.254"],
    "127.0.0.1.names.example": ["127.0.0.1"],
    "six.names.example": ["::1"],
    "mapped.names.example": ["::ffff:10.0.0.1"],
    "scoped.names.example": ["fe80::1%2"],
    "mixed.names.example": [PUBLIC, "10.0.0.1"],
    "mixed-last.names.example": ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", PUBLIC, "::1"],
}
SPELLINGS = [
    # Loopback and "this host", as C libraries read numbers.
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "0x7f000001", "0x7F.0.0.1", "0x7f.1", "2130706433",
    "017700000001", "0177.0.0.1", "0177.0.0.01", "127.0.0.1.", "0.0.0.0", "0", "0x0", "00.0.0.0",
    # Where clouds keep credentials.
    "169.254.169.254", "0xa9fea9fe", "2852039166", "025177524776", "169.254.43518", "169.16689662",
    "0xa9.0xfe.0xa9.0xfe", "0251.0376.0251.0376", "[fd00:ec2::254]", "192.0.0.192", "100.100.100.200",
    # Private, shared, reserved, and to many at once.
    "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.257", "100.64.0.1", "100.127.255.254",
    "192.0.0.170", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    # IPv6, and IPv4 within it.
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:169.254.169.254]",
    "[0:0:0:0:0:ffff:a9fe:a9fe]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]", "[2002:a9fe:a9fe::1]", "[2002:7f00:1::]",
    "[2001:0:a9fe:a9fe::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[fe80::1]", "[fc00::1]", "[fec0::1]",
    "[ff02::1]", "[ff0e::1]", "[100::1]",
    # Letters and dots that become others.
    "１２７.０.０.１", "127。0。0。1", "①②⑦.0.0.1", "ⓛocalhost", "%31%32%37.0.0.1", "127.0.0.1%00.example.org",
    # Names, and what stands before an @.
    "localhost", "LOCALHOST", "localhost.", "metadata.google.internal", "127.0.0.1.names.example", "six.names.example",
    "mapped.names.example", "scoped.names.example", "mixed.names.example", "mixed-last.names.example",
    "public.example@127.0.0.1", "public.example:80@127.0.0.1", "127.0.0.1\\@public.example", "[::1]@public.example",
]  # fmt: skip
ADDRESSES = [f"http://{spelling}/json" for spelling in SPELLINGS] + [
    "https://127.0.0.1/json",
    "http://public.example:22/json",
    "file:///etc/passwd",
    "gopher://127.0.0.1:80/json",
    "//127.0.0.1/json",
]


class World:
    """A resolver of names and numbers, and a network in which every address leads to the same server."""

    def __init__(self, target: HttpTarget) -> None:
        self.target = target
        self.connected: list[str] = []
        self.looked_up: list[str] = []
        self.names = dict(NAMES)

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """As the C library does, but without asking anybody."""
        self.looked_up.append(host)
        if host in self.names:
            return self.names[host]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in found]

    async def connect(self, backend: httpcore2.AnyIOBackend, host: str, _port: int, *rest: Any) -> Any:
        """Instead of the network."""
        self.connected.append(host)
        return await _connect_tcp(backend, "127.0.0.1", self.target.port, *rest)


_connect_tcp = httpcore2.AnyIOBackend.connect_tcp


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The network of the test."""
    async with running_target() as target:
        world = World(target)
        monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", lambda *given: world.connect(*given))
        yield world


@pytest.fixture
async def executor(world: World) -> AsyncIterator[HttpExecutor]:
    """An executor as it is without any setting."""
    executor = HttpExecutor(resolve=world.resolve)
    yield executor
    await executor.close()


async def call(executor: HttpExecutor, **parameters: Any) -> RunOutcome:
    """What becomes of a run with these parameters, refused or carried out."""
    if problems := executor.check(parameters):
        return RunOutcome(status=TaskRunStatus.FAILED, error=" ".join(problems))
    return await executor.execute(parameters, make_context(), CollectedOutput())


async def test_worker_unit_http_reaches_no_forbidden_address(executor: HttpExecutor, world: World) -> None:
    """However it is written, an address that is not public gets no connection."""
    outcomes = {url: await call(executor, url=url) for url in ADDRESSES}

    assert {url: outcome.error for url, outcome in outcomes.items() if outcome.status is not TaskRunStatus.FAILED} == {}
    assert (world.connected, world.target.connections) == ([], 0)
    assert len(ADDRESSES) > 60


async def test_worker_unit_http_reaches_no_forbidden_address_by_redirect(executor: HttpExecutor, world: World) -> None:
    """A redirect leads nowhere that the task itself could not go."""
    reached = {}
    for number, url in enumerate(ADDRESSES, start=1):
        world.target.location = url
        outcome = await call(executor, url="http://public.example/to/302", redirects_max=5)
        if outcome.status is not TaskRunStatus.FAILED or world.target.connections != number:
            reached[url] = outcome.error

    assert reached == {}
    assert set(world.connected) == {PUBLIC}


async def test_worker_unit_http_would_reach_them_without_the_policy(world: World) -> None:
    """The other two tests can fail: where everything is allowed, most of the spellings lead to the server."""
    executor = HttpExecutor(EVERYTHING, resolve=world.resolve)
    # The server does not speak TLS.
    urls = [url for url in ADDRESSES if not url.startswith("https:")]
    completed = [url for url in urls if (await call(executor, url=url)).status is TaskRunStatus.COMPLETED]
    await executor.close()

    assert world.target.connections == len(completed) > 75


async def test_worker_unit_http_connects_to_the_address_that_was_judged(executor: HttpExecutor, world: World) -> None:
    """A resolver that gives a public address first and another one later is asked once for a call."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    def changing(host: str, _port: int) -> Sequence[str]:
        world.looked_up.append(host)
        return next(answers)

    executor = HttpExecutor(resolve=changing)
    first = await call(executor, url="http://rebound.example/json")
    second = await call(executor, url="http://rebound.example/json")
    await executor.close()

    assert (first.status, second.status) == (TaskRunStatus.COMPLETED, TaskRunStatus.FAILED)
    assert world.connected == [PUBLIC]
    assert second.error == (
        "GET http://rebound.example/json was not sent: rebound.example must not be called: it is 127.0.0.1, which is "
        "no public address. Where that is meant, list it in the worker's setting http_allow."
    )
    assert "host: rebound.example\r\n" in world.target.requests[0].lower()


@pytest.mark.parametrize(
    ("allow", "url", "is_reached"),
    [
        (["127.0.0.1"], "http://127.0.0.1/json", True),
        (["127.0.0.1"], "http://127.1/json", True),
        (["127.0.0.1"], "http://[::ffff:127.0.0.1]/json", True),
        (["127.0.0.1"], "http://127.0.0.2/json", False),
        (["127.0.0.1"], "http://127.0.0.1:9000/json", False),
        (["127.0.0.1:9000"], "http://127.0.0.1:9000/json", True),
        (["127.0.0.1:9000"], "http://127.0.0.1/json", False),
        (["10.0.0.0/8"], "http://mixed.names.example/json", True),
        (["localhost"], "http://LOCALHOST/json", True),
        (["localhost"], "http://127.0.0.1/json", False),
        (["localhost:9000"], "http://localhost:9000/json", True),
        (["public.example:9000"], "http://public.example:9000/json", True),
        (["public.example:9000"], "http://public.example:9001/json", False),
        (["[::1]:9000"], "http://six.names.example:9000/json", True),
    ],
)
async def test_worker_unit_http_reaches_what_the_operator_lists(
    allow: list[str], url: str, is_reached: bool, world: World
) -> None:
    """An entry opens what it names, on its own port or those of http_ports, and nothing else."""
    executor = HttpExecutor(EgressPolicy.of([80, 443], allow), resolve=world.resolve)
    outcome = await call(executor, url=url)
    await executor.close()

    assert (outcome.status is TaskRunStatus.COMPLETED, world.target.connections) == (is_reached, int(is_reached))
    assert outcome.retryable is is_reached


async def test_worker_unit_http_tries_the_next_address(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host of several addresses is reached by any of them."""

    async def connect(backend: httpcore2.AnyIOBackend, host: str, port: int, *rest: Any) -> Any:
        if host == "1.1.1.1":
            raise httpcore2.ConnectTimeout
        return await world.connect(backend, host, port, *rest)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    executor = HttpExecutor(resolve=lambda _host, _port: ["1.1.1.1", PUBLIC])
    outcome = await call(executor, url="http://public.example/json")
    await executor.close()

    assert (outcome.status, world.connected) == (TaskRunStatus.COMPLETED, [PUBLIC])


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """An authority that no system knows, and a server of it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"), "client")


@pytest.mark.parametrize(
    ("host", "is_trusted", "problem"),
    [
        ("localhost", True, None),
        ("localhost", False, "the certificate of the server is not accepted: "),
        ("public.example", True, "the certificate of the server is not accepted: Hostname mismatch"),
    ],
)
async def test_worker_unit_http_verifies_certificates(
    host: str, is_trusted: bool, problem: str | None, world: World, certificates: Certificates
) -> None:
    """The certificate is that of the name in the address, from an authority of the system or of http_ca_file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    ca_file = str(certificates.authority) if is_trusted else ""
    async with running_target(context) as world.target:
        executor = HttpExecutor(EVERYTHING, ca_file=ca_file, resolve=world.resolve)
        outcome = await call(executor, url=f"https://{host}/json")
        await executor.close()

    assert asked == [host]
    if problem is None:
        assert outcome.status is TaskRunStatus.COMPLETED, outcome.error
    else:
        assert str(outcome.error).startswith(f"GET https://{host}/json failed: {problem}")
        assert world.target.requests == []
