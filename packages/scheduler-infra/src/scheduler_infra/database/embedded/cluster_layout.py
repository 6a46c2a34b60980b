"""What lies where below `{state_dir}/postgresql`."""

from pathlib import Path

from scheduler_infra.database.embedded.connection_file import connection_file_path

USER = "scheduler"
DATABASE = "scheduler"
PORT = 5432
"""Only the name of the socket: the embedded server opens no TCP port."""


class ClusterLayout:
    """The paths of one embedded server: its root is ours, `data`, `log` and `run` belong to the running account."""

    def __init__(self, state_dir: Path) -> None:
        # PostgreSQL and its clients must agree on one spelling, and the server's working directory is another one.
        self.state_dir = state_dir.resolve()
        self.connection_file = connection_file_path(self.state_dir)
        self.root = self.connection_file.parent
        self.data_dir = self.root / "data"
        self.log_dir = self.root / "log"
        self.run_dir = self.root / "run"
        self.programs_dir = self.root / "programs"
        self.lock_file = self.root / "lock"
        self.password_file = self.root / "password"
        self.settings_file = self.root / "postgresql.conf"
        self.start_log = self.root / "start.log"
        self.complete_marker = self.root / "cluster-complete"
