"""Whether this process lives, and whether it can serve."""

from litestar import Response

from scheduler_api.dependencies import Observer
from scheduler_api.handlers.answers import json_answer


async def show_liveness() -> Response[bytes]:
    """The process answers; nothing else is looked at."""
    return json_answer({"status": "ok"})


async def show_readiness(observer: Observer) -> Response[bytes]:
    """200 when requests can be served, else 503; the parts say which of them is in the way."""
    readiness = await observer.readiness()
    return json_answer(readiness, 200 if readiness.is_ready else 503)
