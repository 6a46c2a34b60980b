"""What each entry point may load: a worker host and a client command pay for nothing that they do not use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = {"sqlmodel", "sqlalchemy", "alembic", "litestar", "uvicorn", "kombu", "amqp"}
DRIVERS = {"psycopg", "psycopg_pool"}
SIBLINGS = {"scheduler_api", "scheduler_dispatcher", "scheduler_worker"}
TEMPLATES = {"jinja2", "jsonschema"}
TELEMETRY = {"opentelemetry.sdk", "opentelemetry.exporter", "prometheus_client"}

# Runs one entry point and writes which of the listed modules it has loaded to a file.
_PROBE = """
import json, sys
arguments, forbidden, program, result = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]
sys.argv = ["scheduler", *arguments]
try:
    exec(program, {"__name__": "probe"})
except SystemExit:
    pass
with open(result, "w") as file:
    json.dump([name for name in forbidden if name in sys.modules], file)
"""
_SCHEDULER = "from scheduler_core.runtime.cli import main; main()"

BUDGETS = {
    "scheduler": (_SCHEDULER, ["--help"], SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY),
    "scheduler version": (_SCHEDULER, ["--version"], SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY),
    "task list": (_SCHEDULER, ["task", "list", "--help"], SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY),
    "run wait": (_SCHEDULER, ["run", "wait", "--help"], SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY),
    "worker list": (
        _SCHEDULER,
        ["worker", "list", "--help"],
        SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY,
    ),
    "config show": (_SCHEDULER, ["config", "show"], SERVER | DRIVERS | TELEMETRY),
    "components": (_SCHEDULER, ["components"], SERVER | DRIVERS | TELEMETRY),
    "worker component": ("import scheduler_worker.component", [], SERVER | TEMPLATES | SIBLINGS - {"scheduler_worker"}),
    "dispatcher component": (
        "import scheduler_dispatcher.component",
        [],
        SERVER | TEMPLATES | SIBLINGS - {"scheduler_dispatcher"},
    ),
    "python child": (
        "import scheduler_worker.executors.python_child",
        [],
        SERVER | DRIVERS | TEMPLATES | TELEMETRY | SIBLINGS - {"scheduler_worker"} | {"asyncio", "httpx2"},
    ),
    "worker without templates": (
        "import scheduler_worker.worker_service, scheduler_worker.executors.shell_executor",
        [],
        SERVER | DRIVERS | TEMPLATES | SIBLINGS - {"scheduler_worker"},
    ),
    "dispatcher without templates": (
        "import scheduler_dispatcher.dispatch_service, scheduler_core.decisions.templates",
        [],
        SERVER | DRIVERS | TEMPLATES | SIBLINGS - {"scheduler_dispatcher"},
    ),
    "api without schemas": ("import scheduler_api.app", [], TEMPLATES),
    "worker help": (
        "from scheduler_worker.cli import main; main()",
        ["--help"],
        SERVER | DRIVERS | SIBLINGS - {"scheduler_worker"} | TELEMETRY,
    ),
    "dispatcher help": (
        "from scheduler_dispatcher.cli import main; main()",
        ["--help"],
        SERVER | DRIVERS | SIBLINGS - {"scheduler_dispatcher"} | TELEMETRY,
    ),
    "api help": (
        "from scheduler_api.cli import main; main()",
        ["--help"],
        SERVER | DRIVERS | SIBLINGS - {"scheduler_api"} | TELEMETRY,
    ),
    "infra help": ("from scheduler_infra.cli import main; main()", ["--help"], SERVER | DRIVERS | SIBLINGS | TELEMETRY),
    "opening a store": ("import scheduler_infra.database", [], (SERVER - {"sqlmodel"}) | SIBLINGS | TELEMETRY),
    "core models": (
        "import scheduler_core.models, scheduler_core.interfaces",
        [],
        SERVER | DRIVERS | {"rich", "cyclopts"},
    ),
}


def _loaded(program: str, arguments: list[str], forbidden: set[str], directory: Path) -> list[str]:
    result = directory / "loaded.json"
    probe_arguments = [json.dumps(arguments), json.dumps(sorted(forbidden)), program, str(result)]
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *probe_arguments],
        env={**os.environ, "SCHEDULER_STATE_DIR": str(directory / "state"), "NO_COLOR": "1"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    loaded: list[str] = json.loads(result.read_text())
    return loaded


@pytest.mark.parametrize("entry_point", BUDGETS)
def test_imports_integration_stay_in_the_budget(entry_point: str, tmp_path: Path) -> None:
    """An entry point loads none of the libraries that it does not use."""
    program, arguments, forbidden = BUDGETS[entry_point]
    assert _loaded(program, arguments, forbidden, tmp_path) == []


def test_imports_integration_the_probe_sees_what_is_loaded(tmp_path: Path) -> None:
    """The budget test would notice: a program that does load SQLAlchemy is caught."""
    assert _loaded("import sqlalchemy", [], SERVER, tmp_path) == ["sqlalchemy"]
