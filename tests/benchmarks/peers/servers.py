"""The servers that a measured system needs: the project's own PostgreSQL, Debian's RabbitMQ and Redis, on loopback."""

import contextlib
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import psycopg

from benchmarks.peers.catalogue import POSTGRESQL, RABBITMQ, REDIS
from fixtures.broker import RabbitMQServer
from fixtures.processes import SchedulerProcesses
from fixtures.redis_server import RedisServer
from scheduler_infra.database import DatabaseConfig, resolve_url

_DATABASE = "peer"


@contextlib.contextmanager
def running_servers(system: SchedulerProcesses, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """These servers, each new and empty, for as long as the context lasts; the variables that tell where they are."""
    with contextlib.ExitStack() as stack:
        told = {}
        if POSTGRESQL in names:
            told["PEER_POSTGRESQL"] = _start_postgresql(system)
        if RABBITMQ in names:
            folder = system.directory / "rabbitmq"
            folder.mkdir()
            broker = RabbitMQServer(folder)
            stack.callback(broker.stop)
            broker.start()
            # Not every client takes the second slash for the default virtual host.
            told["PEER_RABBITMQ"] = f"{broker.url.removesuffix('//')}/%2F"
        if REDIS in names:
            folder = system.directory / "redis"
            folder.mkdir()
            redis = RedisServer(folder)
            stack.callback(redis.stop)
            redis.start()
            told["PEER_REDIS"] = f"{redis.url}/0"
        yield told


def _start_postgresql(system: SchedulerProcesses) -> str:
    """The embedded PostgreSQL with the settings that our own runs have, and in it a database that is not ours."""
    system.start_up("--only", "postgresql")
    url = resolve_url(DatabaseConfig(), system.state_dir)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE}".encode())
    return urlsplit(url)._replace(path=f"/{_DATABASE}").geturl()
