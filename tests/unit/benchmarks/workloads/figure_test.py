"""What workloads make of what they measured."""

from benchmarks.workloads.figure import percentile


def test_benchmarks_unit_a_percentile_is_the_least_value_that_covers_its_share() -> None:
    """Of a hundred values the 99th is the second greatest, of ten the greatest, of one that one."""
    hundred = [float(value) for value in reversed(range(1, 101))]
    assert [percentile(hundred, share) for share in (0.5, 0.9, 0.99, 1.0)] == [50.0, 90.0, 99.0, 100.0]
    assert percentile(hundred[:10], 0.99) == 100.0
    assert [percentile([7.0], share) for share in (0.0, 0.5, 0.99)] == [7.0, 7.0, 7.0]
