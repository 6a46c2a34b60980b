#!/usr/bin/env bash
# Puts uv into a folder of the checkout: fetch_uv.sh PYTHON TARGET gives TARGET/bin/uv.
#
# Any Python from 3.8 on will do here: which Python runs the project is uv's business afterwards. The system and its
# Python get nothing installed, also on Debian, where python3 comes without ensurepip and without pip.
set -euo pipefail

python="$1"
target="$2"
requirement='uv>=0.9,<1'
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

say() { echo "$*" >&2; }

usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1; }

find_python() {
    local candidate
    for candidate in "$python" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if usable "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    say "No Python was found (tried '$python' and python3). Install Python 3.11 or newer, or uv, and try again."
    exit 1
}

with_venv() {
    "$1" -m venv "$target" >/dev/null 2>&1 && "$target/bin/python" -m pip install --quiet "$requirement" >&2
}

with_pip() {
    "$1" -m pip --version >/dev/null 2>&1 && "$1" -m pip install --quiet --target "$target" "$requirement" >&2
}

# Debian's python3 alone has neither ensurepip nor pip, but its archive has pip as a wheel: the package is unpacked into
# a temporary folder and not installed, so this needs no root, and pip runs from the wheel.
with_debian_pip() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
    local folder wheel
    folder=$(mktemp -d)
    # apt's unprivileged downloader must be able to write here.
    chmod 777 "$folder"
    say "This Python has neither venv nor pip: unpacking pip from Debian's python3-pip-whl, without installing it."
    (
        cd "$folder"
        apt-get download -qq python3-pip-whl >/dev/null 2>&1 ||
            { [ "$(id -u)" = 0 ] && apt-get update -qq >&2 && apt-get download -qq python3-pip-whl >/dev/null; } &&
            dpkg-deb --extract python3-pip-whl_*.deb unpacked
    ) || { rm -rf "$folder"; return 1; }
    wheel=$(ls "$folder"/unpacked/usr/share/python-wheels/pip-*.whl)
    "$1" "$wheel/pip" install --quiet --target "$target" "$requirement" >&2
    local code=$?
    rm -rf "$folder"
    return "$code"
}

found=$(find_python)
say "Fetching uv into $target."
for way in with_venv with_pip with_debian_pip; do
    rm -rf "$target"
    if "$way" "$found" && "$target/bin/uv" --version >/dev/null 2>&1; then
        exit 0
    fi
done
rm -rf "$target"
say "uv could not be fetched: $found has neither venv nor pip, or no package index can be reached. Install the" \
    "package python3-venv (or uv itself), check the network, and try again."
exit 1
