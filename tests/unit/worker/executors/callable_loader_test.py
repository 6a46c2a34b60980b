"""Which functions are found, and which of them are called."""

import sys
from pathlib import Path

import pytest

from scheduler_worker.executors.callable_loader import CallableError, CallableRefusedError, load_callable
from scheduler_worker.executors.callable_rules import module_problem

JOBS = "fixtures.asking_jobs"


@pytest.mark.parametrize("name", ["identity", "decorated", "bound", "Counter", "Counter.add", "COUNTER.add"])
def test_worker_unit_loader_gives_functions_of_the_own_code(name: str) -> None:
    """Functions, decorated ones, partial ones, classes and methods of the own code are found by name."""
    assert callable(load_callable(f"{JOBS}:{name}", ["*"]))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("os:system", "The module 'os' is not allowed on this worker"),
        ("subprocess:run", "The module 'subprocess' is not allowed"),
        ("builtins:eval", "The module 'builtins' is not allowed"),
        ("os.path:join", "The module 'os.path' is not allowed"),
        ("scheduler_worker.executors.job_environment:kill_all_runs", "is not allowed"),
        ("__main__:main", "The module '__main__' is not allowed"),
        (f"{JOBS}:tools.system", "The module 'os' is not allowed"),
        (f"{JOBS}:imported_getpid", f"'{JOBS}:imported_getpid' comes from 'posix', which is not allowed"),
        (f"{JOBS}:borrowed", f"'{JOBS}:borrowed' comes from 'posix', which is not allowed"),
        (f"{JOBS}:subprocess.run", "The module 'subprocess' is not allowed"),
        (f"{JOBS}:KEPT.append", "comes from 'builtins', which is not allowed"),
        (f"{JOBS}:RetryLater", "comes from 'scheduler_worker.run_asks', which is not allowed"),
        (f"{JOBS}:identity.__globals__.clear", "names __globals__, which belongs to Python"),
    ],
)
def test_worker_unit_loader_refuses_functions_of_python(target: str, words: str) -> None:
    """What belongs to Python or to the scheduler is not called, by whichever way it is named."""
    with pytest.raises(CallableRefusedError) as refused:
        load_callable(target, ["*"])

    assert words in str(refused.value)


def test_worker_unit_loader_calls_only_what_is_listed() -> None:
    """A list of modules is all that may be called, with what is in the packages among them; it may name Python's."""
    assert load_callable(f"{JOBS}:identity", ["fixtures"])("a") == "a"
    assert load_callable("os.path:basename", ["*", "os.path"])("/a/b") == "b"
    with pytest.raises(CallableRefusedError, match="The module 'os' is not allowed"):
        load_callable("logging:os.system", ["*", "logging"])
    with pytest.raises(CallableRefusedError, match=r"whose worker.python_modules are shop, fixtures.worker\."):
        load_callable(f"{JOBS}:identity", ["shop", "fixtures.worker"])


def test_worker_unit_loader_imports_nothing_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that is not allowed is not even imported."""
    (tmp_path / "unlisted_module.py").write_text("def main(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(CallableRefusedError):
        load_callable("unlisted_module:main", ["shop"])

    assert "unlisted_module" not in sys.modules


@pytest.mark.parametrize(
    ("module", "allowed", "is_allowed"),
    [
        ("shop", ["shop"], True),
        ("shop.reports", ["shop"], True),
        ("shopping", ["shop"], False),
        ("shop", ["shop.reports"], False),
        ("shop", [], False),
        ("json.decoder", ["*"], False),
        ("json.decoder", ["*", "json"], True),
    ],
)
def test_worker_unit_rules_take_whole_names(module: str, allowed: list[str], is_allowed: bool) -> None:
    """A prefix counts up to a dot, never in the middle of a name."""
    assert (module_problem(module, allowed) is None) is is_allowed


def test_worker_unit_loader_names_what_is_not_there() -> None:
    """A missing name is told with the place where it was looked for, and is no refusal."""
    with pytest.raises(CallableError, match=r"'fixtures.asking_jobs' has no attribute 'missing'") as told:
        load_callable(f"{JOBS}:missing", ["*"])

    assert not isinstance(told.value, CallableRefusedError)
