# Runs PgBouncer until standard input ends, which it does when the test stops it
# or its process dies. $1 is the program, $2 the temporary folder, removed at the
# end.
exec 3<&0
"$1" "$2/pgbouncer.ini" </dev/null 3<&- &
bouncer=$!
{ read -r _ <&3; kill -TERM $bouncer; } &
reader=$!
exec 3<&-

wait $bouncer
kill $reader 2>/dev/null
rm -rf "$2"
