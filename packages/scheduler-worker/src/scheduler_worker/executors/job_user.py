"""The users that jobs may run as."""

import os
import pwd
import stat
from collections.abc import Collection
from pathlib import Path

from scheduler_worker.containment.program import JobUser


def closed_directory(path: Path, user: JobUser) -> Path | None:
    """The first directory on the way to a path that the user may not pass through, and None where there is none."""
    for directory in reversed([path, *path.parents]):
        status = directory.stat()
        if status.st_uid == user.uid:
            needed = stat.S_IXUSR
        elif status.st_gid in user.groups:
            needed = stat.S_IXGRP
        else:
            needed = stat.S_IXOTH
        if not status.st_mode & needed and user.uid != 0 and not _has_list(directory):
            return directory
    return None


def _has_list(directory: Path) -> bool:
    """Whether an access control list says more than the mode does."""
    try:
        return "system.posix_acl_access" in os.listxattr(directory)
    except OSError:
        # This file system knows none.
        return False


def job_user(name: str, allowed: Collection[str]) -> JobUser:
    """The user of this name, with its groups; raises ValueError with a sentence for people.

    The worker's operator says who is allowed, and only a worker that is root can become somebody else.
    """
    if name not in allowed:
        offered = ", ".join(sorted(allowed)) or "nobody"
        raise ValueError(
            f"run_as is '{name}', as whom this worker lets no job run: worker.run_as_users names {offered}. Correct "
            "it, or have the worker's operator add that user."
        )
    if os.geteuid() != 0:
        raise ValueError(f"run_as is '{name}', but only a worker that runs as root can run jobs as another user.")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise ValueError(f"run_as is '{name}', a user that does not exist on this worker's host.") from None
    groups = os.getgrouplist(name, entry.pw_gid)
    return JobUser(name, entry.pw_uid, entry.pw_gid, tuple(groups), entry.pw_dir, entry.pw_shell or "/bin/sh")
