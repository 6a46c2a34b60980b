"""The server's log: bounded, and safe to quote."""

import os
from pathlib import Path

from scheduler_infra.database.embedded.server_log import last_lines, prune_log


def test_prune_log_keeps_newest(tmp_path: Path) -> None:
    """Only the newest files stay, and nothing else is touched."""
    for number in range(5):
        (tmp_path / f"postgresql-20260101-00000{number}.log").touch()
    (tmp_path / "note.txt").touch()
    prune_log(tmp_path, files_max=2)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["note.txt", "postgresql-20260101-000003.log", "postgresql-20260101-000004.log"]


def test_last_lines_end_of_newest(tmp_path: Path) -> None:
    """The end of the newest file is quoted, oldest line first."""
    (tmp_path / "postgresql-20260101-000000.log").write_text("old\n")
    (tmp_path / "postgresql-20260102-000000.log").write_text("".join(f"line {n}\n" for n in range(5000)))
    assert last_lines(tmp_path / "absent", tmp_path, lines_max=2) == "line 4998\nline 4999"


def test_last_lines_follows_no_link(tmp_path: Path) -> None:
    """A link that the server's account may have made is not read."""
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    (tmp_path / "postgresql-20260101-000000.log").symlink_to(secret)
    assert last_lines(tmp_path / "absent", tmp_path) == ""


def test_last_lines_of_this_start(tmp_path: Path) -> None:
    """What an earlier server logged is not taken for the reason why this one did not start."""
    log = tmp_path / "postgresql-20260101-000000.log"
    log.write_text("shut down in peace\n")
    os.utime(log, (1, 1))
    (tmp_path / "start.log").write_text("no space left\n")
    assert last_lines(tmp_path / "start.log", tmp_path) == "no space left"
