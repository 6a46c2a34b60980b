#!/usr/bin/env bash
# Prints the uv that make uses: the machine's own when it is new enough, else the project's (which may not exist yet).
set -euo pipefail

local_uv=.tools/uv/bin/uv
minimum=0.9.0

for candidate in "$local_uv" "$(command -v uv || true)"; do
    [ -x "$candidate" ] || continue
    version=$("$candidate" --version 2>/dev/null | awk '{print $2}') || continue
    if [ -n "$version" ] && [ "$(printf '%s\n' "$minimum" "$version" | sort -V | head -n 1)" = "$minimum" ]; then
        echo "$candidate"
        exit 0
    fi
done
echo "$local_uv"
