"""The whole, and what describes it."""

from importlib.resources import files

from litestar import Response

from scheduler_api.dependencies import Observer, OpenApiDocument
from scheduler_api.handlers.answers import encoded_answer, json_answer
from scheduler_api.handlers.requests import ApiRequest
from scheduler_api.schemas.query_schema import read_query
from scheduler_api.schemas.task_run_schema import SystemView
from scheduler_core.models import SystemStatistics

_DOCS_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def show_system_statistics(request: ApiRequest, observer: Observer) -> Response[bytes]:
    """Counts over everything."""
    read_query(request)
    statistics = await observer.statistics()
    counted = {name: getattr(statistics, name) for name in SystemStatistics.__struct_fields__}
    return json_answer(SystemView(version=observer.version, **counted))


async def show_metrics(observer: Observer) -> Response[str]:
    """Prometheus text."""
    return Response(await observer.metrics_text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def show_openapi_document(openapi_document: OpenApiDocument) -> Response[bytes]:
    """The description of this API."""
    return encoded_answer(openapi_document)


async def show_docs() -> Response[bytes]:
    """A page that shows the description, from this server alone."""
    content = (files("scheduler_api") / "pages" / "docs.html").read_bytes()
    return Response(content, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": _DOCS_POLICY})


async def show_docs_script() -> Response[bytes]:
    """The script of that page."""
    content = (files("scheduler_api") / "pages" / "docs.js").read_bytes()
    return Response(content, media_type="text/javascript; charset=utf-8")


async def go_to_docs() -> Response[bytes]:
    """The root leads to the docs."""
    return Response(b"", status_code=307, headers={"Location": "/docs"}, media_type="text/plain")
