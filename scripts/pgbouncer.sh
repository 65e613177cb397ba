#!/bin/sh
# Installs PgBouncer from the distribution where none is found. The places are
# those of internal/pgtest.
set -eu

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

if PATH=$PATH:/usr/sbin:/opt/homebrew/bin:/usr/local/bin command -v pgbouncer >/dev/null; then exit 0; fi

if ! command -v apt-get >/dev/null; then
	echo "No PgBouncer was found. Install it (Fedora: dnf install pgbouncer; macOS: brew install pgbouncer)" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	echo "No PgBouncer was found, and there is no sudo to install it with. As root: apt-get install pgbouncer" >&2
	exit 1
fi

echo "== installing PgBouncer from the distribution"
as_root apt-get update -qq
# The package would start it for the whole system; only the program is wanted.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'as_root rm -f $policy' EXIT
	as_root sh -c "printf '#!/bin/sh\nexit 101\n' > $policy && chmod +x $policy"
fi
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends pgbouncer >/dev/null
