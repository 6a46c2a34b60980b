"""How a worker process notices that the one that looks after it has gone."""

import os
import signal
import threading


def hold_lifeline(descriptor: int) -> None:
    """Come to an end as after SIGTERM when the other end of this pipe is closed, however its holder ended."""
    # Nothing that is started here may keep it, or be taken for this process.
    os.set_inheritable(descriptor, False)
    threading.Thread(target=_wait, args=(descriptor,), name="lifeline", daemon=True).start()


def _wait(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
