"""The OpenAPI 3.1 description, made from routes and schemas alone: no app is built for it."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec

from scheduler_api.routes import API, OPERATIONS, Operation
from scheduler_api.schemas.problem_schema import PROBLEM_MEDIA_TYPE, ProblemDocument
from scheduler_api.schemas.task_schema import TaskBody

_REFERENCES = "#/components/schemas/{name}"
_EVERYWHERE = {
    400: "The request is malformed.",
    401: "No valid API key came with the request.",
    404: "What the address names does not exist.",
    405: "The address does not take this method.",
    408: "The body paused for too long.",
    409: "The present state does not allow it.",
    413: "The body is too large.",
    422: "The request has values that cannot be used; `errors` lists all of them.",
    500: "The server failed.",
    503: "The database cannot be used now.",
}
_PATH_PARAMETERS = {
    "reference": "The task's id, or its name.",
    "name": "The limit's name, or its id.",
    "run_id": "The run's id.",
    "flow_id": "The flow's id, which is that of its root run.",
    "worker_id": "The worker's id, or the id of one of its sessions.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, the request is carried out once and answered alike, for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_DESCRIPTION = (
    "Tasks, their runs and the workers of a Scheduler. Errors are problem documents (RFC 9457) that list everything "
    "that is wrong at once. Lists are pages: pass `next_cursor` as `cursor` until it is null. Instants are UTC."
)


def distribution_version() -> str:
    """The version of the installed API."""
    try:
        return version("scheduler-api")
    except PackageNotFoundError:
        return "0"


def openapi_document() -> dict[str, Any]:
    """The whole description; equal for equal code."""
    shown = [operation for operation in OPERATIONS if operation.documented_as != "-"]
    kinds = list(dict.fromkeys([ProblemDocument, TaskBody, *_structs(shown)]))
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    schema_of = dict(zip(kinds, schemas, strict=True))
    for component in components.values():
        # Python takes the indentation of docstrings away by itself only from 3.13 on.
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    components["TaskChanges"] = _changes("TaskChanges", components["TaskBody"])
    components["LimitChanges"] = _changes("LimitChanges", components["LimitBody"])
    paths: dict[str, dict[str, Any]] = {}
    for operation in shown:
        path = operation.documented_as or re.sub(r":str}", "}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _operation(operation, path, schema_of)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Scheduler",
            "version": distribution_version(),
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": components,
        },
    }


def encoded_openapi_document() -> bytes:
    """The description as readable JSON that ends with a line break."""
    return msgspec.json.format(msgspec.json.encode(openapi_document()), indent=2) + b"\n"


def _operation(operation: Operation, path: str, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    content = {operation.media_type: {"schema": _schema(operation.answers, schema_of)}}
    if operation.path.endswith("/logs"):
        content["text/plain"] = {"schema": {"type": "string"}}
    described: dict[str, Any] = {
        "operationId": operation.handler.__name__,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": _parameters(operation, path),
        "responses": {str(operation.status): {"description": "Done.", "content": content}, **_problems(operation)},
    }
    if operation.answers_existing is not None:
        existing = {"application/json": {"schema": _schema(operation.answers_existing, schema_of)}}
        described["responses"]["200"] = {"description": "It was there already.", "content": existing}
    if operation.path == "/health/ready":
        described["responses"]["503"] = {"description": "Not ready.", "content": content}
    if operation.body is not None:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {"application/json": {"schema": _schema(operation.body, schema_of)}},
        }
    if not operation.path.startswith(API):
        described["security"] = []
    return described


def _parameters(operation: Operation, path: str) -> list[dict[str, Any]]:
    found = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_PARAMETERS[name],
            "schema": {"type": "string"},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
    found += [
        {
            "name": parameter.name,
            "in": "query",
            "required": False,
            "description": parameter.description,
            "schema": parameter.schema(),
        }
        for parameter in operation.query
    ]
    return [*found, _IDEMPOTENCY_KEY] if operation.takes_idempotency_key else found


def _problems(operation: Operation) -> dict[str, Any]:
    statuses = {500, *operation.problems}
    if operation.path.startswith(API):
        statuses |= {401, 503}
    if operation.body is not None:
        statuses |= {400, 408, 413}
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {str(status): {"description": _EVERYWHERE[status], "content": content} for status in sorted(statuses)}


def _schema(kind: Any, schema_of: Mapping[Any, Any]) -> Any:
    if kind is None:
        return {}
    if isinstance(kind, tuple):
        return {"oneOf": [schema_of[each] for each in kind]}
    return kind if isinstance(kind, Mapping) else schema_of[kind]


def _structs(operations: Sequence[Operation]) -> Iterator[Any]:
    for operation in operations:
        for kind in (operation.answers, operation.answers_existing, operation.body):
            if kind is not None and not isinstance(kind, Mapping):
                yield from kind if isinstance(kind, tuple) else (kind,)


def _changes(title: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a PATCH: the fields of a body, each of them optional and without a default."""
    properties = {
        name: {key: value for key, value in schema.items() if key != "default"}
        for name, schema in body["properties"].items()
    }
    return {
        "title": title,
        "description": "The fields to be replaced.",
        "type": "object",
        "properties": properties,
        "minProperties": 0,
    }
