"""A Litestar that answers what it is sent, by the same server with the same settings as the API."""

import asyncio
import signal
import sys
from typing import Any

from litestar import Litestar, Request, Response, post

from scheduler_api.bind_address import parse_bind_address
from scheduler_api.http_server import bind_socket, serve


@post("/echo")
async def echo(request: Request[Any, Any, Any]) -> Response[Any]:
    """Read the body as JSON and write it again."""
    return Response(await request.json(), status_code=201)


async def _serve(port: int) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    bound = bind_socket(parse_bind_address(f"127.0.0.1:{port}"))
    print("listening", flush=True)
    app: Any = Litestar(route_handlers=[echo], openapi_config=None, logging_config=None)
    await serve(app, bound, stopping, 1.0)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
