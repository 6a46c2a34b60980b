"""Whether what templates take from a run upstream can ever be there."""

import pytest

from scheduler_core.decisions.result_rules import UpstreamUse, use_problem
from scheduler_core.models import FlowOptions


@pytest.mark.parametrize("key", ["status", "headers", "body", "extracted", "is_truncated"])
def test_core_unit_result_of_http_has_what_is_documented(key: str) -> None:
    """A template may take whatever the result of an http task can have."""
    assert use_problem(UpstreamUse("parameters.url", "a", "result", key), "http", FlowOptions()) is None


def test_core_unit_result_of_http_has_nothing_else() -> None:
    """A key that is never there is told with those that are."""
    assert use_problem(UpstreamUse("parameters.url", "a", "result", "extract"), "http", FlowOptions()) == (
        "upstream.a.result has no 'extract': an http task gives status, headers, body, extracted, is_truncated. "
        "Did you mean extracted?"
    )
