"""What a client command may cost to load."""

import subprocess
import sys

_FORBIDDEN = (
    "alembic",
    "dynaconf",
    "http.client",
    "httpx",
    "httpx2",
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
        "from scheduler_api.client import run_commands, status_command, task_commands, worker_commands\n"
        f"print(*(name for name in {_FORBIDDEN!r} if name in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert loaded.stdout.split() == []
