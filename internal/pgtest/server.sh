# Runs PostgreSQL until standard input ends, which it does when the process that
# holds the other end of the pipe stops the server or dies, in whatever way.
# $1 is the folder of the programs, $2 the temporary folder, removed at the end; the
# other arguments are settings for the server.
bin=$1 dir=$2
shift 2
umask 077

init() {
	"$bin/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale="$1" --no-sync --no-instructions </dev/null
}
# Systems without C.UTF-8 remain: older Red Hat, macOS.
init C.UTF-8 || { rm -rf "$dir/data" && init C; } || { rm -rf "$dir"; exit 1; }

start() {
	"$bin/postgres" -D "$dir/data" -k "$dir" -p 5432 \
		-c listen_addresses= -c max_connections=200 -c shared_buffers=64MB \
		-c fsync=off -c full_page_writes=off -c synchronous_commit=off \
		-c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c jit=off \
		-c timezone=UTC -c log_timezone=UTC "$@" \
		</dev/null 3<&- &
	server=$!
	echo $server >"$dir/pid"
}

exec 3<&0
start "$@"
# Again and again, for the server may be starting anew.
{
	read -r _ <&3
	touch "$dir/stop"
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		kill -QUIT "$(cat "$dir/pid")"
		sleep 0.2
	done 2>/dev/null
} &
reader=$!
exec 3<&-

while wait $server; [ -e "$dir/restart" ] && [ ! -e "$dir/stop" ]; do
	rm "$dir/restart"
	start "$@"
done
kill $reader 2>/dev/null
rm -rf "$dir"
