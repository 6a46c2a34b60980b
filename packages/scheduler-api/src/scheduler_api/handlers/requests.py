"""What handlers take from a request."""

import hashlib
from typing import Any

from litestar import Request

from scheduler_api.api_error import IdempotencyKeyError
from scheduler_api.middleware.authentication_middleware import API_KEY_NAME
from scheduler_api.schemas.json_body import decode_json
from scheduler_api.transactions import OnceKey

ApiRequest = Request[Any, Any, Any]

_KEY_LENGTH_MAX = 255


async def read_json(request: ApiRequest, *, default: Any = None) -> Any:
    """The JSON of the body; `default` for no body, unless that is None: then a body is required."""
    body = await request.body()
    if default is not None and not body.strip():
        return default
    return decode_json(body)


async def once_key(request: ApiRequest) -> OnceKey | None:
    """The request's Idempotency-Key, which belongs to the name of the API key; None without one."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key.isascii() or not key.isprintable() or not 1 <= len(key) <= _KEY_LENGTH_MAX:
        raise IdempotencyKeyError(f"An Idempotency-Key has 1 to {_KEY_LENGTH_MAX} printable ASCII characters.")
    target = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    digest = hashlib.sha256(target + await request.body()).hexdigest()
    return OnceKey(f"key:{request.scope['state'].get(API_KEY_NAME, '')}", key, digest)
