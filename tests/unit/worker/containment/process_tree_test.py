"""What always starts another process and ends itself is found by its number."""

import os
import signal
import subprocess

from scheduler_worker.containment.process_tree import hunt
from scheduler_worker.containment.run_number import handed_on, number_of


def test_hunt_kills_who_carries_a_number_and_says_so() -> None:
    """Those of the wanted runs die, also without their environment; those of others live."""
    token = os.urandom(8).hex()
    wanted, other, nobody = (number_of(token, key) for key in (1, 2, 3))
    with handed_on(wanted):
        meant = subprocess.Popen(["env", "-i", "sleep", "60"], start_new_session=True)
    with handed_on(other):
        spared = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        assert hunt({wanted, nobody}) == {wanted}

        assert meant.wait(10) == -signal.SIGKILL
        assert spared.poll() is None
        assert hunt({wanted, nobody}) == set()
    finally:
        for process in (meant, spared):
            process.kill()
            process.wait()
