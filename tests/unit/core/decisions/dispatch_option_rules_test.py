"""What a definition may say about who runs its runs, how many at once and whose turn it is."""

import sys
from subprocess import run
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.task_rules import check_definition
from scheduler_core.models import DispatchOptions, TaskDefinition, TaskRunStatus, UniquePolicy

TYPES = ("flow", "shell")
TEXT = st.text(max_size=30)
NUMBER = st.floats() | st.integers().map(float)


def task(**fields: Any) -> TaskDefinition:
    """A definition that is fine but for these fields."""
    return TaskDefinition(**{"name": "a", "task_type": "shell", "parameters": {"command": ["date"]}, **fields})


@pytest.mark.parametrize(
    "definition",
    [
        task(strategy="my_composite", required_tags=("gpu", "eu-1"), preferred_tags=("ssd",), forbidden_tags=("old",)),
        task(resources={"cpu": 0.5, "memory": 2.0**40, "licence_x": 1e18}),
        task(strategy="consistent_hash", hash_key="params.customer"),
        task(hash_key="'always the same worker'"),
        task(limits=("a", "b"), fairness_key="run.task", fairness_weight=0.001),
        task(fairness_key="'tenant'", fairness_weight="params.weight | default(1)"),
        task(fairness_key="item.customer", fairness_weight=1_000_000.0, map_over="params.items"),
        task(hash_key="shard.index", shards=3, limits=("a",)),
        task(limits=("a",), broadcast=True, background=True),
        task(unique=UniquePolicy()),
        task(unique=UniquePolicy(key="params.order ~ run.namespace", window_seconds=366 * 86_400.0)),
        task(unique=UniquePolicy(key="params.x", states=tuple(TaskRunStatus))),
        task(unique=UniquePolicy(debounce_seconds=1.5, debounce_max_seconds=1.5)),
        task(unique=UniquePolicy(throttle_seconds=60.0)),
        task(keep_seconds=1.0, keep_runs=1, max_losses=100),
        task(keep_seconds=36_525 * 86_400.0, keep_runs=2**31 - 1, max_losses=1),
        TaskDefinition(name="a", task_type="flow", sub_flow="b", unique=UniquePolicy(key="params.x"), keep_seconds=9.0),
    ],
)
def test_check_definition_accepts_dispatch_options(definition: TaskDefinition) -> None:
    """Every option alone and in combinations that make sense, numbers at their limits."""
    assert check_definition(definition, TYPES) == []


@pytest.mark.parametrize(
    ("definition", "field", "told"),
    [
        (task(fairness_key="params.a", fairness_weight=float("nan")), "fairness_weight", "not nan"),
        (task(resources={"cpu": float("nan")}), "resources.cpu", "not nan"),
        (task(resources={"cpu": float("inf")}), "resources.cpu", "not inf"),
        (task(keep_seconds=float("nan")), "keep", "not nan"),
        (task(unique=UniquePolicy(window_seconds=float("nan"))), "unique.window", "not nan"),
        (task(fairness_key="run.attempt"), "fairness_key", "before their next attempt"),
        (task(fairness_key="interval.from"), "fairness_key", "interval is not known here"),
        (task(hash_key="upstream['b'].result", dependencies=("b",)), "hash_key", "upstream is not known here"),
        (task(hash_key="upstream"), "hash_key", "upstream is not known here"),
        (task(fairness_key="parms.x"), "fairness_key", "Did you mean params?"),
        (task(fairness_key="x" * 10_001), "fairness_key", "at most 10000"),
        (task(hash_key="\0"), "hash_key", "NUL"),
        (
            task(parameters={"command": "{{ item }}"}, map_over="params.x", hash_key="params.command"),
            "hash_key",
            "itself",
        ),
        (task(unique=UniquePolicy(key="shard.index"), shards=2), "unique.key", "shard belongs to the runs"),
        (task(unique=UniquePolicy(key="run.flow_id")), "unique.key", "before there is a run"),
        (task(unique=UniquePolicy(throttle_seconds=-1.0)), "unique.throttle", "not -1"),
    ],
)
def test_check_definition_refuses_dispatch_options(definition: TaskDefinition, field: str, told: str) -> None:
    """What the API's own tests cannot send, and each name that an expression may not use where it stands."""
    problems = {problem.field: problem.message for problem in check_definition(definition, TYPES)}
    assert told in problems[field]


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strategy": TEXT,
            "required_tags": st.lists(TEXT, max_size=25).map(tuple),
            "forbidden_tags": st.lists(TEXT, max_size=3).map(tuple),
            "resources": st.dictionaries(TEXT, NUMBER, max_size=25),
            "hash_key": TEXT,
            "limits": st.lists(TEXT, max_size=25).map(tuple),
            "fairness_key": TEXT,
            "fairness_weight": NUMBER | TEXT,
            "unique": st.builds(
                UniquePolicy,
                key=st.none() | TEXT,
                states=st.lists(st.sampled_from(TaskRunStatus), max_size=3).map(tuple),
                window_seconds=st.none() | NUMBER,
                debounce_seconds=st.none() | NUMBER,
                debounce_max_seconds=st.none() | NUMBER,
                throttle_seconds=st.none() | NUMBER,
            ),
            "keep_seconds": NUMBER,
            "keep_runs": st.integers(),
            "max_losses": st.integers(),
            "broadcast": st.booleans(),
        },
    )
)
def test_check_definition_judges_whatever_is_given(fields: dict[str, Any]) -> None:
    """Whatever stands in the fields is judged without an error, told by its field, and storable if nothing is told."""
    problems = check_definition(task(**fields), TYPES)
    assert all(problem.message.rstrip().endswith((".", ")")) for problem in problems), problems
    known = {*DispatchOptions.__struct_fields__, "keep"}
    assert {problem.field.partition(".")[0] for problem in problems} <= known
    if not problems:
        options = task(**fields).dispatch_options()
        assert msgspec.convert(msgspec.to_builtins(options), DispatchOptions) == options


def test_check_definition_without_expressions_loads_no_templates() -> None:
    """Options that are no expressions cost nothing: jinja2 stays out, as in a dispatcher that only plans."""
    program = (
        "import sys\n"
        "from scheduler_core.decisions.task_rules import check_definition\n"
        "from scheduler_core.models import TaskDefinition, UniquePolicy\n"
        "task = TaskDefinition(name='a', task_type='shell', parameters={'command': ['x']}, limits=('a',),\n"
        "                      unique=UniquePolicy(), fairness_weight=1.0, required_tags=('x',))\n"
        "assert check_definition(task, ['shell']) == []\n"
        "print('jinja2' in sys.modules)"
    )
    done = run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
