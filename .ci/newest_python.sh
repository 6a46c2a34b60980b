#!/usr/bin/env bash
# newest_python.sh OTHER prints the newest final CPython on this machine that is newer (by minor version) than the
# Python OTHER, or nothing. Looks on PATH, at what uv and pyenv have installed, and in /usr/local/bin and /opt.
set -euo pipefail

other="$1"
version_of() {
    "$1" -c 'import sys; v = sys.version_info; print(f"{v[0]}.{v[1]:02d}") if v[3] == "final" and sys.implementation.name == "cpython" and not sys.flags.dev_mode and sys.prefix == sys.base_prefix else None' 2>/dev/null || true
}

best=""
best_version=$("$other" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]:02d}")')
shopt -s nullglob
IFS=: read -r -a directories <<<"$PATH"
candidates=()
for directory in "${directories[@]}" /usr/local/bin; do
    candidates+=("$directory"/python3.1[0-9])
done
candidates+=(
    "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.*/bin/python3.1[0-9]
    "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/cpython-3.*/bin/python3.1[0-9]
    /opt/python*/bin/python3.1[0-9]
)
for candidate in "${candidates[@]}"; do
    version=$(version_of "$candidate")
    if [ -n "$version" ] && [[ "$version" > "$best_version" ]]; then
        best="$candidate"
        best_version="$version"
    fi
done
echo "$best"
