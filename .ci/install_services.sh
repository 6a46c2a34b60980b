#!/usr/bin/env bash
# Installs Debian's RabbitMQ, Redis, PostgreSQL, PgBouncer and libfaketime where they are missing, for the tests that need the
# real ones: as root, through apt, starting nothing. Elsewhere it changes nothing; the tests then report in one loud line what
# was not run.
set -euo pipefail

missing=()
command -v rabbitmq-server >/dev/null || [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing+=(rabbitmq-server)
compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || missing+=(libfaketime)
command -v redis-server >/dev/null || missing+=(redis-server)
command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed: ${missing[*]}. Only root can add them through apt; the tests that need them say so." >&2
    exit 0
fi

# A package that is installed for tests must not leave a service running. A policy that is already there is respected.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
# Nor a database cluster that nobody asked for.
cluster_defaults=/etc/postgresql-common/createcluster.conf
if [ ! -e "$cluster_defaults" ]; then
    mkdir -p "${cluster_defaults%/*}"
    echo "create_main_cluster = false" >"$cluster_defaults"
fi

echo "Installing ${missing[*]} through apt, without starting them." >&2
export DEBIAN_FRONTEND=noninteractive
install() {
    apt-get install -qq --yes --no-install-recommends -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confold \
        "${missing[@]}" >/dev/null
}
if ! install 2>/dev/null && ! { apt-get update -qq && install; }; then
    echo "apt could not install ${missing[*]}; the tests that need them say so." >&2
fi
