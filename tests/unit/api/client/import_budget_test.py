"""What a client command may cost to load."""

import subprocess
import sys
from pathlib import Path

_FORBIDDEN = (
    "alembic",
    "cron_descriptor",
    "cronsim",
    "dateutil",
    "dynaconf",
    "http.client",
    "httpx",
    "httpx2",
    "jinja2",
    "jsonschema",
    "kombu",
    "litestar",
    "psycopg",
    "rich.table",
    "scheduler_infra",
    "sqlalchemy",
    "sqlmodel",
    "uvicorn",
    "yaml",
)


def test_client_commands_load_no_server_code() -> None:
    """Loading every client command imports no server library, no driver and no HTTP library beside the standard one."""
    program = (
        "import sys\n"
        "from scheduler_api.client import flow_commands, ledger_commands, limit_commands, run_commands\n"
        "from scheduler_api.client import simulate_command, status_command, task_commands, worker_commands\n"
        f"print(*(name for name in {_FORBIDDEN!r} if name in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.split() == []


def test_simulate_over_files_loads_no_server_code(tmp_path: Path) -> None:
    """A simulation over files needs the schedule code, and neither web framework, database nor HTTP."""
    file = tmp_path / "a.toml"
    file.write_text(
        '[[task]]\nname = "a"\ntask_type = "http"\nparameters = { url = "http://x" }\nschedule = "@daily"\n'
    )
    # Of infra it is the announcement of its commands, as for every word of `scheduler`.
    forbidden = tuple(name for name in _FORBIDDEN if name not in ("cronsim", "dateutil", "scheduler_infra"))
    program = (
        "import sys\n"
        "from scheduler_core.runtime.cli import main\n"
        f"assert main(['simulate', {str(file)!r}, '-q']) == 0\n"
        f"print('loaded:', *(name for name in {forbidden!r} if name in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.splitlines()[-1].split() == ["loaded:"]
