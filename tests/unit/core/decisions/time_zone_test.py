"""Zones come from the tzdata wheel, and their stretches are what the zone itself says."""

import shutil
import zoneinfo
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import pytest

from scheduler_core.decisions import time_zone
from scheduler_core.decisions.time_zone import ZoneTable, find_zone, zone_data_version, zone_names, zone_table

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEAR = 366 * 86_400


def test_find_zone_never_reads_the_hosts_own_files(tmp_path: Path) -> None:
    """A host whose zone files say something else computes the same instants."""
    (tmp_path / "Europe").mkdir()
    shutil.copy(str(files("tzdata") / "zoneinfo" / "UTC"), tmp_path / "Europe" / "Berlin")
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath([str(tmp_path)])
    time_zone._loaded.cache_clear()
    try:
        zone = find_zone("Europe/Berlin")
        assert datetime(2026, 7, 1, tzinfo=UTC).astimezone(zone).utcoffset() == timedelta(hours=2)
    finally:
        zoneinfo.reset_tzpath(before)
        time_zone._loaded.cache_clear()


@pytest.mark.parametrize("name", ["localtime", "Berlin", "europe/berlin", "../etc/passwd", "Europe", "", "Factory "])
def test_find_zone_knows_only_the_databases_own_names(name: str) -> None:
    """What is no name of a zone is none, whatever lies at such a path."""
    assert find_zone(name) is None


def test_zone_names_are_those_of_the_database() -> None:
    """Some hundred names, each with a zone, and the version that they have."""
    assert len(zone_names()) > 400
    assert all(find_zone(name) is not None for name in zone_names())
    assert zone_data_version() == version("tzdata")


@pytest.mark.parametrize("name", ["Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC"])
def test_zone_table_stretches_are_what_the_zone_says(name: str) -> None:
    """At both ends of every stretch of 30 years the zone has that offset, and the stretches leave nothing out."""
    zone = find_zone(name)
    assert zone is not None
    table, first, last = ZoneTable(zone), 30 * YEAR, 60 * YEAR
    position = first
    for stretch in table.stretches(first, last):
        for instant in (max(stretch.start, first), min(stretch.end - 1, last)):
            local = (EPOCH + timedelta(seconds=instant)).astimezone(zone)
            assert local.utcoffset() == timedelta(seconds=stretch.offset)
        assert stretch.start <= position < stretch.end
        position = stretch.end
    assert position > last


def test_zone_table_answers_alike_in_any_order() -> None:
    """What was asked before, earlier or later, changes no answer."""
    zone = find_zone("America/New_York")
    assert zone is not None
    forward = ZoneTable(zone)
    instants = [year * YEAR + day * 86_400 for year in (-20, 5, 60, 30) for day in (1, 100, 250)]
    expected = [(EPOCH + timedelta(seconds=instant)).astimezone(zone).utcoffset() for instant in instants]
    assert [timedelta(seconds=forward.offset_at(instant)) for instant in instants] == expected
    assert [timedelta(seconds=zone_table("America/New_York").offset_at(i)) for i in reversed(instants)] == [
        *reversed(expected)
    ]
