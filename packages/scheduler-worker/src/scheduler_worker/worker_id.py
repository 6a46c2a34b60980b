"""What a worker is called."""

import secrets

from scheduler_core.runtime.process_identity import ProcessIdentity


def default_worker_id(identity: ProcessIdentity) -> str:
    """A name that no other worker has: host name, process id, and a few random digits for containers."""
    return f"{identity.hostname}-{identity.pid}-{secrets.token_hex(2)}"


def own_queue(worker_id: str) -> str:
    """The queue that nobody but this worker serves; no task can be sent there, for no task's queue begins like that."""
    return f"@{worker_id}"
