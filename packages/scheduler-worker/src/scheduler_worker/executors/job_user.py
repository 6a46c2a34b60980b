"""The users that jobs may run as."""

import os
import pwd
from collections.abc import Collection

from scheduler_worker.containment.program import JobUser


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
