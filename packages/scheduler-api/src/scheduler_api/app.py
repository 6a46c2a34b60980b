"""The app, wired. Makes no connection and starts nothing."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec
import structlog
from litestar import HttpMethod, Litestar, Response
from litestar.config.app import AppConfig
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from scheduler_api.api_config import ApiConfig
from scheduler_api.api_error import (
    ApiError,
    BodyTooLargeError,
    MalformedBodyError,
    MethodNotAllowedError,
    NoSuchAddressError,
    answer_to,
)
from scheduler_api.dependencies import make_dependencies
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.middleware.asgi import AsgiApp
from scheduler_api.middleware.authentication_middleware import AuthenticationMiddleware, StoredKeys
from scheduler_api.middleware.body_limit_middleware import BodyLimitMiddleware
from scheduler_api.middleware.cors_middleware import CorsMiddleware
from scheduler_api.middleware.request_context_middleware import RequestContextMiddleware
from scheduler_api.openapi_document import distribution_version, encoded_openapi_document
from scheduler_api.routes import OPERATIONS, Operation
from scheduler_api.schemas.problem_schema import PROBLEM_MEDIA_TYPE, problem_document
from scheduler_core.errors import SchedulerError
from scheduler_core.interfaces import Clock, MessageQueue, Store

logger = structlog.get_logger("scheduler.api")


def create_app(
    store: Store,
    queue: MessageQueue,
    clock: Clock,
    config: ApiConfig,
    component_metrics: Callable[[], str] = lambda: "",
    stopping: asyncio.Event | None = None,
) -> AsgiApp:
    """The ASGI app that serves the API from this store and rings through this queue.

    `component_metrics` gives the process's own metrics in Prometheus text. Answers that would last for long
    end soon after `stopping` is set. The layers around the router, outermost first: request id, cross-origin, API key,
    body limits.
    """
    dependencies = make_dependencies(
        store,
        queue,
        clock,
        component_metrics=component_metrics,
        openapi_document=encoded_openapi_document(),
        version=distribution_version(),
        stopping=stopping,
    )
    router = Litestar(
        route_handlers=[
            HTTPRouteHandler(
                operation.path,
                http_method=_methods(operation),
                status_code=operation.status,
                opt={"query": operation.query},
                name=operation.handler.__name__,
            )(operation.handler)
            for operation in OPERATIONS
        ],
        dependencies=dependencies.providers(),
        exception_handlers={HTTPException: _answer_http_error, Exception: _answer_error},
        openapi_config=None,
        request_max_body_size=None,  # ours is the middleware's
        logging_config=None,
        on_app_init=[_without_debug],
    )
    app: AsgiApp = BodyLimitMiddleware(cast(AsgiApp, router), config.body_bytes_max)
    app = AuthenticationMiddleware(app, StoredKeys(store, clock))
    if config.cors_enabled:
        app = CorsMiddleware(app, config.cors_origins)
    return RequestContextMiddleware(app)


def _methods(operation: Operation) -> list[HttpMethod]:
    """A GET of health is also a HEAD: that is what load balancers send."""
    methods = [HttpMethod(operation.method)]
    return [*methods, HttpMethod.HEAD] if operation.path.startswith("/health/") else methods


def _without_debug(config: AppConfig) -> AppConfig:
    """Debug pages, which an environment variable would turn on, show what is inside."""
    config.debug = False
    return config


def _answer_error(request: ApiRequest, error: Exception) -> Response[bytes]:
    answer = answer_to(error)
    if answer.status == 500:
        logger.error("request failed", method=request.method, path=request.url.path, exc_info=error)
    elif not isinstance(error, SchedulerError):
        logger.debug("request refused", error=str(error))
    return Response(
        msgspec.json.encode(problem_document(error)),
        status_code=answer.status,
        media_type=PROBLEM_MEDIA_TYPE,
        headers=dict(answer.headers),
    )


def _answer_http_error(request: ApiRequest, error: HTTPException) -> Response[bytes]:
    """The router's own errors in our words."""
    return _answer_error(request, _translated(request, error))


def _translated(request: ApiRequest, error: HTTPException) -> Exception:
    path = request.scope["path"]
    if error.status_code == 404:
        return NoSuchAddressError(f"There is nothing at {path[:200]}. /docs shows what there is.")
    if error.status_code == 405:
        allowed = (error.headers or {}).get("allow", "")
        return MethodNotAllowedError(request.method, path[:200], [method for method in allowed.split(", ") if method])
    if error.status_code == 413:
        return BodyTooLargeError(0)
    if 400 <= error.status_code < 500:
        # Such as a client that left in the middle of its body.
        return MalformedBodyError(str(error.detail))
    if isinstance(error.__cause__, ApiError):
        return error.__cause__
    return error
