"""Into which streams runs belong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from scheduler_core.decisions.stream_keys import keyed
from scheduler_core.models import DispatchOptions
from scheduler_core.models.dispatch import GatedRun


def build_run(parameters: dict[str, Any], options: DispatchOptions, **changes: Any) -> GatedRun:
    """A run with these parameters of a definition with these options."""
    fields: dict[str, Any] = {
        "id": 1,
        "task_id": 1,
        "task_version_id": 7,
        "task_name": "task",
        "namespace": "default",
        "queue": "default",
        "task_type": "python",
        "priority": 5,
        "parameters": parameters,
        "options": options,
        "scheduled_at": datetime(2026, 1, 1, tzinfo=UTC),
        "flow_id": 1,
    }
    return GatedRun(**{**fields, **changes})


@pytest.mark.parametrize("weight", [10**400, True, "3_0", "٣", " 3", "nan", "-1", None, [3], 0])
def test_core_unit_a_weight_that_is_none_fails_its_run_alone(weight: Any) -> None:
    """Whatever a run's parameters hold, sorting answers with what is wrong and raises nothing."""
    run = keyed(build_run({"w": weight}, DispatchOptions(fairness_key="'a'", fairness_weight="params.w")))
    assert run.stream is None
    assert "fairness_weight 'params.w'" in (run.error or "")


@pytest.mark.parametrize(("weight", "meant"), [(3, 3.0), (0.5, 0.5), ("3", 3.0), ("2.5", 2.5)])
def test_core_unit_a_weight_may_be_a_number_as_text(weight: Any, meant: float) -> None:
    """Numbers of parameters are often text."""
    run = keyed(build_run({"w": weight}, DispatchOptions(fairness_key="'a'", fairness_weight="params.w")))
    assert run.stream is not None
    assert run.stream.weight == meant


@pytest.mark.parametrize(
    ("options", "changes", "is_of_all"),
    [
        ({"strategy": "round_robin"}, {}, True),
        ({"required_tags": ("gpu",)}, {}, True),
        ({"background": True}, {}, True),
        ({"strategy": "round_robin"}, {"is_background": True}, False),
        ({"strategy": "round_robin"}, {"queue": "@worker-1"}, False),
        ({"fairness_key": "'a'"}, {}, False),
        ({"fairness_weight": "1"}, {}, False),
        ({"strategy": "consistent_hash", "hash_key": "'a'"}, {}, False),
        ({"limits": ("api",)}, {}, False),
    ],
)
def test_core_unit_a_version_has_one_stream_only_where_nothing_is_the_runs_own(
    options: dict[str, Any], changes: dict[str, Any], *, is_of_all: bool
) -> None:
    """Where an expression, the background of a flow or a worker's own queue may differ, each run is sorted."""
    run = keyed(build_run({}, DispatchOptions(**options), **changes))
    assert run.stream is not None
    assert run.version_id == (7 if is_of_all else None)
