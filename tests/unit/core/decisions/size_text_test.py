"""Amounts of memory and disk as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.size_text import parse_size, size_text


@pytest.mark.parametrize(
    ("text", "amount"),
    [("0", 0), ("512", 512), ("1K", 1024), ("1kb", 1024), ("4 GB", 4 * 1024**3), ("1.5GiB", 1.5 * 1024**3), ("2B", 2)],
)
def test_core_unit_parse_size_reads_binary_units(text: str, amount: float) -> None:
    """Each unit is 1024 of the one before, however it is written."""
    assert parse_size(text) == amount


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1XB", "1iB", "1e9", "4GBs", "1..5G", "٤GB", "nan", "9" * 400])
def test_core_unit_parse_size_refuses_what_is_no_size(text: str) -> None:
    """What is no size is refused with how to write one."""
    with pytest.raises(ValueError, match=r"is no size\. Write a number of bytes"):
        parse_size(text)


@given(st.floats(0, 2.0**50))
def test_core_unit_size_text_can_be_read_back(amount: float) -> None:
    """What is shown is what is meant, to the rounding of one decimal place of a number of at least 1."""
    assert parse_size(size_text(amount)) == pytest.approx(amount, rel=0.05, abs=0.06)
