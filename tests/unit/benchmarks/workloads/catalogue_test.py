"""How workloads are named on the command line."""

import pytest

from benchmarks.workloads.catalogue import WORKLOADS, chosen


def test_benchmarks_unit_a_group_stands_for_all_of_its_workloads() -> None:
    """In their own order and each once, whichever way and however often they are named."""
    assert chosen(["w4", "W1-BULK", "W4-fan"]) == ["W1-bulk", "W4-chain", "W4-fan"]
    assert chosen(["W1", "W2", "W3", "W4", "W5", "W6", "W7"]) == list(WORKLOADS)


def test_benchmarks_unit_a_wrong_name_is_told_with_those_that_there_are() -> None:
    """A part of a name is none: W1-bul could mean two."""
    with pytest.raises(ValueError, match=r"'W1-bul' is no workload\. Known are .*W7-page"):
        chosen(["W1", "W1-bul"])
