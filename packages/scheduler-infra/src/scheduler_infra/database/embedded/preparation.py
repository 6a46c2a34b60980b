"""Everything that must be in place before the server is started."""

import os
from pathlib import Path
from typing import NamedTuple

import structlog

from scheduler_core.config.state_dir import prepare_state_dir, untraversable_parent
from scheduler_core.errors import ConfigError
from scheduler_infra.database.embedded.cluster_layout import ClusterLayout
from scheduler_infra.database.embedded.connection_file import ConnectionFile
from scheduler_infra.database.embedded.data_directory import (
    ClusterState,
    check_owner,
    cluster_state,
    create_cluster,
    read_password,
    reset_password,
)
from scheduler_infra.database.embedded.postgresql_binaries import PostgresqlBinaries, binaries_for
from scheduler_infra.database.embedded.postmaster import find_postmaster, forget_reused_pid
from scheduler_infra.database.embedded.server_account import ServerAccount, server_account
from scheduler_infra.database.embedded.server_log import prune_log
from scheduler_infra.database.embedded.server_settings import available_memory_bytes, settings_text
from scheduler_infra.database.embedded.socket_directory import (
    prepare_socket_dir,
    remove_socket_dir,
    remove_stale_socket,
)

_log = structlog.stdlib.get_logger(__name__)


class ServerPlan(NamedTuple):
    """Which programs run, and as whom."""

    account: ServerAccount
    binaries: PostgresqlBinaries


def prepare_layout(state_dir: Path) -> ClusterLayout:
    """Make the directory that holds the lock; raises ConfigError when it cannot be made or written to."""
    prepare_state_dir(state_dir)
    layout = ClusterLayout(state_dir)
    try:
        layout.root.mkdir(exist_ok=True)
    except OSError as error:
        raise unusable(layout.root, error) from error
    return layout


def prepare_cluster(layout: ClusterLayout) -> ServerPlan:
    """Find the programs and make the data directory if there is none; the start lock must be held.

    Raises ConfigError when account, state directory, programs or data cannot be used.
    """
    account = server_account()
    _check_startable(account)
    try:
        # Passable whatever the umask says: root's server runs as somebody else. Nobody else can list it.
        layout.root.chmod(0o711)
        # First: programs that the account cannot read are copied into the state directory, and would be out of reach.
        _check_passable(layout, account)
        binaries = binaries_for(account, layout.programs_dir)
        state = cluster_state(layout, binaries)
        if state is not ClusterState.COMPLETE:
            create_cluster(layout, binaries, account)
        check_owner(layout, account)
    except OSError as error:
        raise unusable(layout.root, error) from error
    return ServerPlan(account, binaries)


def prepare_launch(layout: ClusterLayout, plan: ServerPlan) -> tuple[Path, str]:
    """Clear what an earlier server left and write the settings; returns the socket's directory and the password.

    To be called only when no server runs on this data.
    """
    try:
        # Asked again: the child of an owner that was killed a moment ago may have come to life meanwhile. The new
        # server then refuses to start beside it.
        if find_postmaster(layout.data_dir) is None:
            if forget_reused_pid(layout.data_dir):
                _log.warning("removed an old postmaster.pid", data_dir=str(layout.data_dir))
            remove_stale_socket(layout.run_dir)
        if (before := ConnectionFile.read(layout.connection_file)) is not None:
            layout.connection_file.unlink(missing_ok=True)
            remove_socket_dir(Path(before.socket_dir), layout.run_dir)
        layout.log_dir.mkdir(exist_ok=True)
        plan.account.own(layout.log_dir, 0o700)
        prune_log(layout.log_dir)
        socket_dir = prepare_socket_dir(layout.run_dir, plan.account)
        layout.settings_file.write_text(
            settings_text(socket_dir, layout.log_dir, available_memory_bytes()), encoding="utf-8"
        )
        layout.settings_file.chmod(0o644)
        password = read_password(layout) or reset_password(layout, plan.binaries, plan.account)
    except OSError as error:
        raise unusable(layout.root, error) from error
    return socket_dir, password


def unusable(path: Path, error: OSError) -> ConfigError:
    """The error for a state directory that this process cannot work in."""
    return ConfigError(
        f"The state directory cannot be used by uid {os.geteuid()}: {error.filename or path}: "
        f"{error.strerror or error}. Run as the user who owns it, free space if the disk is full, or set "
        "SCHEDULER_STATE_DIR to another directory."
    )


def _check_startable(account: ServerAccount) -> None:
    if not account.is_own and not account.can_run(["true"]):
        raise ConfigError(
            f"The embedded PostgreSQL refuses to run as root, and root may not start programs as uid {account.uid} "
            "here (a container without the capability SETUID, or without that uid). Start as an ordinary user, set "
            "SCHEDULER_RUN_AS to a uid that exists there, or point database.url at another PostgreSQL."
        )


def _check_passable(layout: ClusterLayout, account: ServerAccount) -> None:
    if account.is_own or account.can_enter(layout.root):
        return
    closed = untraversable_parent(layout.root) or layout.root
    raise ConfigError(
        f"The state directory {layout.state_dir} cannot be used by the embedded PostgreSQL: it refuses to run as root, "
        f"so it runs as uid {account.uid}, which may not pass through {closed}. Set SCHEDULER_STATE_DIR to a directory "
        f"such as /var/lib/scheduler whose parents everybody may pass, or set SCHEDULER_RUN_AS to a user that may "
        "enter it."
    )
