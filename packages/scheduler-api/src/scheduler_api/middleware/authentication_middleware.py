"""A key for everything under /api/, looked up by its hash."""

from typing import Protocol

from scheduler_api.api_error import NotAuthorizedError
from scheduler_api.middleware.asgi import AsgiApp, Receive, Scope, Send
from scheduler_api.middleware.asgi_answer import header_of, send_problem
from scheduler_core.decisions.api_key_rules import api_key_hash
from scheduler_core.errors import SchedulerError
from scheduler_core.interfaces import Clock, Store

API_KEY_NAME = "scheduler_api_key_name"
KEY_TRUSTED_SECONDS = 1.0
_KEYS_REMEMBERED_MAX = 1000
_KEY_LENGTH_MAX = 512
_OPEN = frozenset({"/api/openapi.json"})

_MISSING = (
    "This needs an API key. Send it as `Authorization: Bearer KEY`; `scheduler-infra key create NAME` makes one, and "
    "`scheduler up` leaves one in credentials.json of its state directory."
)
_WRONG = "This API key is not valid, or no longer. `scheduler-infra key list` shows the keys that are."


class KeyFinder(Protocol):
    """Says whose a key is."""

    async def name_of(self, secret: str) -> str | None:
        """The name of the live key with this secret."""


class StoredKeys(KeyFinder):
    """Keys of the store. A key that was found is trusted for a second, so a revocation holds within that."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._found: dict[bytes, tuple[float, str]] = {}

    async def name_of(self, secret: str) -> str | None:
        """See KeyFinder. Compares hashes, by an index: how long that takes tells nothing about the secret."""
        key_hash = api_key_hash(secret)
        now = self._clock.monotonic()
        until, name = self._found.get(key_hash, (0.0, ""))
        if now < until:
            return name
        async with self._store.autocommit() as work:
            key = await work.api_keys.find(key_hash)
        if key is None:
            self._found.pop(key_hash, None)
            return None
        if len(self._found) >= _KEYS_REMEMBERED_MAX:
            self._found.clear()
        self._found[key_hash] = (now + KEY_TRUSTED_SECONDS, key.name)
        return key.name


class AuthenticationMiddleware:
    """Lets requests under /api/ pass only with a live key; also those to addresses that do not exist."""

    def __init__(self, app: AsgiApp, keys: KeyFinder) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _needs_key(scope["path"]):
            try:
                scope["state"][API_KEY_NAME] = await self._name(scope)
            except SchedulerError as error:
                await send_problem(send, error)
                return
        await self._app(scope, receive, send)

    async def _name(self, scope: Scope) -> str:
        secret = _secret_of(scope)
        if not secret:
            raise NotAuthorizedError(_MISSING)
        # A hash of megabytes would be a favour to nobody.
        name = await self._keys.name_of(secret) if len(secret) <= _KEY_LENGTH_MAX else None
        if name is None:
            raise NotAuthorizedError(_WRONG)
        return name


def _needs_key(path: str) -> bool:
    # By its first word, as the router splits it: //api/v1 and /api/ are under /api, too.
    return next(iter(part for part in path.split("/") if part), "") == "api" and path not in _OPEN


def _secret_of(scope: Scope) -> str:
    scheme, _, secret = header_of(scope, b"authorization").strip().partition(" ")
    if scheme.lower() == "bearer":
        return secret.strip()
    return header_of(scope, b"x-api-key").strip()
