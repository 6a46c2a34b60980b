"""What is done with the data directory that is found."""

import os
from pathlib import Path

import pytest

from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded.cluster_layout import ClusterLayout
from scheduler_infra.database.embedded.data_directory import ClusterState, check_owner, cluster_state
from scheduler_infra.database.embedded.postgresql_binaries import PostgresqlBinaries
from scheduler_infra.database.embedded.server_account import ServerAccount

BINARIES = PostgresqlBinaries(Path("/bin"), "18.6", "the wheel")


@pytest.fixture
def layout(tmp_path: Path) -> ClusterLayout:
    """The paths of a state directory that holds no cluster yet."""
    layout = ClusterLayout(tmp_path)
    layout.root.mkdir()
    return layout


def write_cluster(layout: ClusterLayout, major: str = "18", *, complete: bool = True) -> None:
    """What initdb leaves behind, as far as it is looked at."""
    (layout.data_dir / "global").mkdir(parents=True)
    (layout.data_dir / "PG_VERSION").write_text(f"{major}\n")
    (layout.data_dir / "global" / "pg_control").touch()
    if complete:
        layout.complete_marker.touch()


def test_cluster_state_absent(layout: ClusterLayout) -> None:
    """Where nothing is, nothing is assumed."""
    assert cluster_state(layout, BINARIES) is ClusterState.ABSENT


def test_cluster_state_complete(layout: ClusterLayout) -> None:
    """A finished cluster of the same major version is used."""
    write_cluster(layout)
    assert cluster_state(layout, BINARIES) is ClusterState.COMPLETE


def test_cluster_state_half_written(layout: ClusterLayout) -> None:
    """A directory that was never finished is recognised, however much of it is there."""
    layout.data_dir.mkdir()
    assert cluster_state(layout, BINARIES) is ClusterState.HALF_WRITTEN
    layout.data_dir.rmdir()
    write_cluster(layout, complete=False)
    assert cluster_state(layout, BINARIES) is ClusterState.HALF_WRITTEN


@pytest.mark.parametrize("missing", ["PG_VERSION", "global/pg_control"])
def test_cluster_state_damaged(layout: ClusterLayout, missing: str) -> None:
    """A cluster that was complete is never replaced by an empty one."""
    write_cluster(layout)
    (layout.data_dir / missing).unlink()
    with pytest.raises(ConfigError, match=f"{layout.data_dir} is damaged"):
        cluster_state(layout, BINARIES)


@pytest.mark.parametrize("complete", [True, False])
def test_cluster_state_other_major(layout: ClusterLayout, complete: bool) -> None:
    """Data of another major version is refused with the commands that help."""
    write_cluster(layout, "15", complete=complete)
    with pytest.raises(ConfigError) as caught:
        cluster_state(layout, BINARIES)
    for words in (str(layout.data_dir), "PostgreSQL 15", "18.6", "SCHEDULER_PG_BIN", "pg_dump", "psql"):
        assert words in str(caught.value)


def test_check_owner_another(layout: ClusterLayout) -> None:
    """Data that another account owns is refused before PostgreSQL is asked."""
    write_cluster(layout)
    check_owner(layout, ServerAccount(os.geteuid(), os.getegid(), is_own=True))
    with pytest.raises(ConfigError, match=f"belongs to uid {os.geteuid()}"):
        check_owner(layout, ServerAccount(54321, 54321, is_own=False))
