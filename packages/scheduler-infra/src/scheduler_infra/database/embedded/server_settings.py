"""How the embedded server is tuned."""

import os
from pathlib import Path

_MB = 1024 * 1024

_SETTINGS: dict[str, str] = {
    # Nobody but processes of this machine, each with the password.
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0777",
    "password_encryption": "scram-sha-256",
    # A hundred workers have three each; room for one costs some 50 kB of shared memory.
    "max_connections": "500",
    # Truth needs these; they are the defaults, said aloud.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Small, short statements by many rows: planning time and checkpoints are what costs.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "random_page_cost": "1.1",
    "wal_compression": "on",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "10min",
    # Run rows change several times each; dead ones must go soon or claims slow down.
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_vacuum_cost_delay": "1ms",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "cluster_name": "scheduler",
    "logging_collector": "on",
    "log_filename": "postgresql-%Y%m%d-%H%M%S.log",
    "log_rotation_size": "10MB",
    "log_rotation_age": "0",
    "log_file_mode": "0600",
    "log_line_prefix": "%m [%p] %a ",
    "log_min_duration_statement": "2s",
    "log_lock_waits": "on",
    # Parameters may hold what a user wants kept to himself.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


def settings_text(socket_dir: Path, log_dir: Path, memory_bytes: int) -> str:
    """The server's configuration file for a machine with this much memory."""
    shared_mb = max(32, min(256, memory_bytes // 4 // _MB))
    settings = _SETTINGS | {
        # A list whose elements may be quoted, inside a quoted value.
        "unix_socket_directories": f'"{socket_dir}"',
        "log_directory": str(log_dir),
        "shared_buffers": f"{shared_mb}MB",
        "effective_cache_size": f"{max(shared_mb, memory_bytes // 2 // _MB)}MB",
        "maintenance_work_mem": f"{max(16, shared_mb // 4)}MB",
    }
    lines = ["# Written anew at every start. To change a setting that stays, use ALTER SYSTEM."]
    lines += [f"{name} = {_quoted(value)}" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def available_memory_bytes() -> int:
    """The machine's memory, or what the container allows if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit_file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            return min(machine, int(Path(limit_file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return machine


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
