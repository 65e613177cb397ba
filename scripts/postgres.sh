#!/bin/sh
# Installs PostgreSQL from the distribution where none is found. The places are
# those of internal/pgtest.
set -eu

found() {
	for bin in "$(pg_config --bindir 2>/dev/null)" \
		/usr/lib/postgresql/*/bin /usr/pgsql-*/bin \
		/opt/homebrew/opt/postgresql*/bin /usr/local/opt/postgresql*/bin \
		"$(dirname "$(command -v initdb || echo none)")"; do
		if [ -x "$bin/initdb" ] && [ -x "$bin/postgres" ]; then return 0; fi
	done
	return 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install() { as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" >/dev/null; }

if [ -n "${SCOPED_TEST_BINDIR:-}${SCOPED_TEST_DSN:-}" ] || found; then exit 0; fi

if ! command -v apt-get >/dev/null; then
	echo "No PostgreSQL server was found. Install one (Fedora: dnf install postgresql-server; macOS: brew install postgresql)" >&2
	echo "or set SCOPED_TEST_BINDIR to the folder of initdb and postgres, or SCOPED_TEST_DSN to the URL of a running server." >&2
	exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	echo "No PostgreSQL server was found, and there is no sudo to install it with. As root: apt-get install postgresql" >&2
	exit 1
fi

echo "== installing PostgreSQL from the distribution"
as_root apt-get update -qq
# The package would start a server for the whole system; only its programs are
# wanted. The setting is put back, it is the owner's to change.
conf=/etc/postgresql-common/createcluster.conf
install postgresql-common
as_root cp -p $conf $conf.scoped
as_root sed -i 's/^#* *create_main_cluster.*/create_main_cluster = false/' $conf
trap 'as_root mv $conf.scoped $conf' EXIT
install postgresql
found
