"""The description of the API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scheduler_api import routes
from scheduler_api.openapi_document import encoded_openapi_document, openapi_document
from scheduler_api.routes import OPERATIONS

STORED = Path(__file__).parents[3] / "docs" / "api" / "openapi.json"


def test_openapi_document_is_current() -> None:
    """docs/api/openapi.json is what `scheduler-api openapi` writes; run it with --out when this fails."""
    assert STORED.read_bytes() == encoded_openapi_document()


def test_openapi_document_refers_only_to_what_it_holds() -> None:
    """Every reference leads to a schema."""
    document = openapi_document()
    names = {reference.rpartition("/")[2] for reference in references(document)}
    assert names <= set(document["components"]["schemas"])
    assert "TaskView" in names


def test_openapi_document_describes_every_operation_once() -> None:
    """Each operation has an id of its own, and no address is described twice."""
    described = [
        operation["operationId"] for methods in openapi_document()["paths"].values() for operation in methods.values()
    ]
    assert sorted(described) == sorted({o.handler.__name__ for o in OPERATIONS if o.documented_as != "-"})


def test_openapi_document_asks_for_a_key_under_api_alone() -> None:
    """Everything under /api/v1 is described as needing a key, and nothing else is."""
    for path, methods in openapi_document()["paths"].items():
        for operation in methods.values():
            assert ("401" in operation["responses"]) == path.startswith("/api/v1")
            assert (operation.get("security") == []) == (not path.startswith("/api/v1"))


def references(part: Any) -> Iterator[str]:
    """All references in a document."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_docs_page_loads_nothing_from_elsewhere() -> None:
    """The page and its script name no other server."""
    pages = Path(routes.__file__).parent / "pages"
    for page in pages.iterdir():
        assert "://" not in page.read_text(), page
    assert json.loads(encoded_openapi_document())["openapi"].startswith("3.1")
