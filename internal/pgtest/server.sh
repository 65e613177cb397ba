# Runs PostgreSQL until standard input ends, which it does when the process that
# holds the other end of the pipe stops the server or dies, in whatever way.
# $1 is the folder of the programs, $2 the temporary folder, removed at the end.
bin=$1 dir=$2
umask 077

init() {
	"$bin/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale="$1" --no-sync --no-instructions </dev/null
}
# Systems without C.UTF-8 remain: older Red Hat, macOS.
init C.UTF-8 || { rm -rf "$dir/data" && init C; } || { rm -rf "$dir"; exit 1; }

exec 3<&0
"$bin/postgres" -D "$dir/data" -k "$dir" -p 5432 \
	-c listen_addresses= -c max_connections=200 -c shared_buffers=64MB \
	-c fsync=off -c full_page_writes=off -c synchronous_commit=off \
	-c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off -c jit=off \
	-c timezone=UTC -c log_timezone=UTC \
	</dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -QUIT $server; } &
reader=$!
exec 3<&-

wait $server
kill $reader 2>/dev/null
rm -rf "$dir"
