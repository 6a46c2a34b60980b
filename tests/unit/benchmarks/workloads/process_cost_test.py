"""What processes are found to cost."""

import os
import subprocess
import sys

from benchmarks.workloads.process_cost import cpu_seconds, cpu_since, memory, tree

_WORK = """
import sys
print(flush=True)
sys.stdin.readline()
sum(range(3_000_000))
print(flush=True)
sys.stdin.readline()
"""


def test_benchmarks_unit_cpu_counts_what_was_there_before_and_what_is_new() -> None:
    """A process that works costs, one that waits does not, and one that is new counts from its start."""
    with subprocess.Popen([sys.executable, "-c", _WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        assert process.pid in tree(os.getpid())
        before = cpu_seconds([process.pid])
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.stdout.readline()
        worked = cpu_since(before, [process.pid])
        assert 0 < worked < cpu_since({}, [process.pid])
        found = memory([process.pid, 2**22 + 1])
        assert 0 < found.proportional <= found.resident < 1000
        process.stdin.write(b"\n")
        process.stdin.flush()
        process.wait(10)
    assert cpu_since({}, [process.pid]) == 0
