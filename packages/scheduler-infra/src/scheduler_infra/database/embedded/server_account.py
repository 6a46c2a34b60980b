"""The account that runs PostgreSQL, which refuses to run as root."""

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scheduler_core.errors import ConfigError

RUN_AS = "SCHEDULER_RUN_AS"


class ServerAccount(NamedTuple):
    """A uid and gid; `is_own` when they are those of this process, so that nothing has to be changed."""

    uid: int
    gid: int
    is_own: bool

    @property
    def popen_options(self) -> dict[str, Any]:
        """What subprocess needs to run a program as this account, in an environment that leaks nothing into it."""
        options: dict[str, Any] = {"env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}, "umask": 0o077}
        if not self.is_own:
            options.update(user=self.uid, group=self.gid, extra_groups=[])
        return options

    def own(self, path: Path, mode: int) -> None:
        """Give a file or directory of ours to this account."""
        if not self.is_own:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
        path.chmod(mode)

    def can_run(self, command: Sequence[str | Path]) -> bool:
        """Whether the program starts and succeeds as this account.

        Tried rather than computed: modes, access lists, mount options and missing libraries all count.
        """
        try:
            done = subprocess.run(
                [str(word) for word in command], cwd="/", capture_output=True, timeout=30, **self.popen_options
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == 0

    def can_enter(self, directory: Path) -> bool:
        """Whether the account may pass through this directory and all on the way to it."""
        # Not by starting something there: subprocess changes the directory before the account.
        return self.can_run(["test", "-e", directory / "."]) and self.can_run(["test", "-x", directory])


def server_account(environ: Mapping[str, str] = os.environ) -> ServerAccount:
    """This process's own account; for root the one named by SCHEDULER_RUN_AS (a name or a uid), else nobody.

    Makes no user. Raises ConfigError when the account does not exist or is root's.
    """
    if os.geteuid() != 0:
        return ServerAccount(os.geteuid(), os.getegid(), is_own=True)
    wanted = environ.get(RUN_AS, "") or "nobody"
    try:
        entry = pwd.getpwuid(int(wanted)) if wanted.isdecimal() else pwd.getpwnam(wanted)
        uid, gid = entry.pw_uid, entry.pw_gid
    except KeyError:
        if not wanted.isdecimal():
            raise ConfigError(
                f"There is no user '{wanted}' to run PostgreSQL as, and it refuses to run as root. "
                f"Set {RUN_AS} to an existing unprivileged user or uid, or point database.url at another PostgreSQL."
            ) from None
        # A uid needs no entry in the password database, as in many containers.
        uid = gid = int(wanted)
    if uid == 0:
        raise ConfigError(f"{RUN_AS} names root, but PostgreSQL refuses to run as root. Name an unprivileged user.")
    return ServerAccount(uid, gid, is_own=False)
