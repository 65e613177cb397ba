package scoped_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/internal/pgtest"
)

const shardSchema = `
CREATE TABLE event (site_id bigint NOT NULL, id bigint NOT NULL, kind text NOT NULL, PRIMARY KEY (site_id, id));
CREATE TABLE note (site_id bigint NOT NULL, id bigint NOT NULL, event_id bigint NOT NULL, body text NOT NULL);
`

const coordinatorSchema = `
CREATE EXTENSION postgres_fdw;
CREATE TABLE event (site_id bigint NOT NULL, id bigint NOT NULL, kind text NOT NULL) PARTITION BY LIST (site_id);
CREATE TABLE note (site_id bigint NOT NULL, id bigint NOT NULL, event_id bigint NOT NULL, body text NOT NULL) PARTITION BY LIST (site_id);
CREATE TABLE tag (id bigint PRIMARY KEY, event_id bigint NOT NULL, tag text NOT NULL);
`

const shardPolicy = `
version: 1
dimensions: {site: {type: bigint}}
tables:
  event: {site: site_id}
  note:  {site: site_id, references: {event_id: event}}
  tag:   {site: event_id -> event}
`

// A shard is a server with the rows of one site.
type shard struct {
	*pgtest.Server
	read int // of its log
}

var logged = regexp.MustCompile(`LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)`)

// sent returns the statements that the server got since it was last asked.
func (s *shard) sent(t *testing.T) (statements []string) {
	t.Helper()
	log, err := s.Log()
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range logged.FindAllSubmatch(log[s.read:], -1) {
		statements = append(statements, string(found[1]))
	}
	s.read = len(log)
	return statements
}

// startServers starts servers of the test's own, at once.
func startServers(t *testing.T, n int) []*pgtest.Server {
	t.Helper()
	t.Setenv("SCOPED_TEST_DSN", "") // one running server is not enough
	servers, errs := make([]*pgtest.Server, n), make([]error, n)
	var starting sync.WaitGroup
	for i := range n {
		starting.Go(func() { servers[i], errs[i] = pgtest.Start(t.Context()) })
	}
	starting.Wait()
	for i, server := range servers {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		t.Cleanup(server.Stop)
	}
	return servers
}

// newShards starts three servers with the rows of one site each, and another whose
// tables have them as foreign partitions.
func newShards(t *testing.T) (coordinator string, shards []*shard) {
	t.Helper()
	ctx := t.Context()
	servers := startServers(t, 4)
	script := []string{coordinatorSchema}
	for i, server := range servers[1:] {
		site := i + 1
		dsn, err := server.CreateDatabase(ctx, shardSchema, fmt.Sprintf(`
			INSERT INTO event VALUES (%[1]d, 10 * %[1]d + 1, 'old'), (%[1]d, 10 * %[1]d + 2, 'old');
			INSERT INTO note VALUES (%[1]d, 10 * %[1]d + 1, 10 * %[1]d + 1, 'note')`, site))
		if err != nil {
			t.Fatal(err)
		}
		config, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		execAll(t, dsn, fmt.Sprintf("ALTER DATABASE %s SET log_statement = 'all'", config.Database))
		shards = append(shards, &shard{Server: server})
		script = append(script, fmt.Sprintf(`
			CREATE SERVER shard_%[1]d FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%[2]s', port '%[3]d', dbname '%[4]s');
			CREATE USER MAPPING FOR CURRENT_USER SERVER shard_%[1]d OPTIONS (user '%[5]s');
			CREATE FOREIGN TABLE event_%[1]d PARTITION OF event FOR VALUES IN (%[1]d) SERVER shard_%[1]d OPTIONS (table_name 'event');
			CREATE FOREIGN TABLE note_%[1]d PARTITION OF note FOR VALUES IN (%[1]d) SERVER shard_%[1]d OPTIONS (table_name 'note');
			INSERT INTO tag VALUES (10 * %[1]d + 1, 10 * %[1]d + 1, 'tag')`,
			site, config.Host, config.Port, config.Database, config.User))
	}
	coordinator, err := servers[0].CreateDatabase(ctx, script...)
	if err != nil {
		t.Fatal(err)
	}
	return coordinator, shards
}

func execAll(t *testing.T, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// Each is executed in site 2.
var overShards = []struct {
	name, sql string
	rows      int64  // that it returns or changes
	remote    string // of what the site's server gets
}{
	{"all rows", "SELECT id FROM event", 2, "SELECT id FROM public.event WHERE ((site_id = ?))"},
	{"a row", "SELECT kind FROM event WHERE id = 21", 1, "SELECT kind FROM public.event WHERE ((site_id = ?)) AND ((id = 21))"},
	{"another site's row", "SELECT kind FROM event WHERE id = 11", 0, "WHERE ((site_id = ?)) AND ((id = 11))"},
	{"a locked row", "SELECT kind FROM event WHERE id = 21 FOR UPDATE", 1, "WHERE ((site_id = ?)) AND ((id = 21)) FOR UPDATE"},
	{"an aggregate", "SELECT count(*) FROM event GROUP BY kind", 1, "FROM public.event WHERE ((site_id = ?))"},
	{"a join", "SELECT e.id FROM event e JOIN note n ON n.event_id = e.id", 1, "FROM public.note WHERE ((site_id = ?))"},
	{"an outer join", "SELECT e.id FROM event e LEFT JOIN note n ON n.event_id = e.id", 2, "FROM public.note WHERE ((site_id = ?))"},
	{"a path", "SELECT tag FROM tag", 1, "SELECT id FROM public.event WHERE ((site_id = ?))"},
	{"a join along a path", "SELECT tag FROM tag t JOIN event e ON e.id = t.event_id WHERE e.kind = 'old'", 1, "WHERE ((site_id = ?)) AND ((kind = 'old'"},
	{"an insert", "INSERT INTO event (id, kind) VALUES (23, 'new')", 1, "INSERT INTO public.event(site_id, id, kind) VALUES ($1, $2, $3)"},
	{"an insert that is checked", "INSERT INTO event (site_id, id, kind) VALUES (2, 23, 'new')", 1, "RETURNING site_id, ctid"},
	{"an insert unless there", "INSERT INTO event (id, kind) VALUES (21, 'new') ON CONFLICT DO NOTHING", 0, "ON CONFLICT DO NOTHING"},
	{"an insert of a reference", "INSERT INTO note (id, event_id, body) VALUES (22, 21, 'new')", 1, "(site_id = ?)"},
	{"an insert over a path", "INSERT INTO tag (id, event_id, tag) VALUES (22, 21, 'new')", 1, "(site_id = ?)"},
	{"an update", "UPDATE event SET kind = 'x' WHERE id = 21", 1, "UPDATE public.event SET kind = 'x'::text WHERE ((site_id = ?)) AND ((id = 21))"},
	{"an update that returns", "UPDATE event SET kind = 'x' RETURNING id", 2, "WHERE ((site_id = ?)) RETURNING id"},
	{"an update from a join", "UPDATE event e SET kind = n.body FROM note n WHERE n.event_id = e.id", 1, "FROM public.note WHERE ((site_id = ?))"},
	{"an update over a path", "UPDATE tag SET tag = 'x'", 1, "FROM public.event WHERE ((site_id = ?))"},
	{"a deletion", "DELETE FROM event WHERE id = 22", 1, "DELETE FROM public.event WHERE ((site_id = ?)) AND ((id = 22))"},
	{"a deletion with a join", "DELETE FROM note n USING event e WHERE n.event_id = e.id", 1, "FROM public.event WHERE ((site_id = ?))"},
}

var (
	siteValue   = regexp.MustCompile(`site_id = (2|\$\d)::bigint`)
	aboutNoRows = regexp.MustCompile(`^(SET|START TRANSACTION|ABORT TRANSACTION|DEALLOCATE)\b`)
)

// Where the plan is generic, and the other server cannot do all of an UPDATE or
// DELETE, PostgreSQL before 18 begins a transaction on every server. It does so of
// the statement with its filter by hand.
func beginsEverywhere(sql, planCache string, version int) bool {
	joins := strings.Contains(sql, "n.event_id")
	return version < 180000 && planCache == "force_generic_plan" && joins && !strings.HasPrefix(sql, "SELECT")
}

// Only the server of the scope is sent anything, and what it is sent has the
// guard: in every exec mode, with the plans that the server chooses and with
// generic ones.
func TestShards(t *testing.T) {
	coordinator, shards := newShards(t)
	file := policyFile(t, shardPolicy)
	open := func(parameters ...string) *sql.DB {
		db := openDB(t, scoped.DriverName, withParameters(t, coordinator, append(parameters, "scope_policy="+file)...))
		db.SetMaxOpenConns(1)
		return db
	}
	var version int
	err := open().QueryRowContext(t.Context(), "SHOW server_version_num").Scan(&version)
	if err != nil {
		t.Fatal(err)
	}
	inSite := scoped.With(t.Context(), "site", 2)

	for _, planCache := range []string{"auto", "force_generic_plan"} {
		for _, mode := range execModes {
			times := 1
			if mode == pgx.QueryExecModeCacheStatement && planCache == "auto" {
				times = 7 // after five the server may choose a generic plan
			}
			mode := strings.ReplaceAll(mode.String(), " ", "_")
			db := open("plan_cache_mode="+planCache, "default_query_exec_mode="+mode)
			for _, s := range overShards {
				t.Run(planCache+"/"+mode+"/"+s.name, func(t *testing.T) {
					for range times {
						rolledBack(inSite, t, db, s.rows, s.sql)
						sent := siteValue.ReplaceAllString(strings.Join(shards[1].sent(t), "\n"), "site_id = ?")
						if !strings.Contains(sent, s.remote) {
							t.Errorf("the site's server got\n%s\nwithout %s", sent, s.remote)
						}
						for _, i := range []int{0, 2} {
							others := shards[i].sent(t)
							if beginsEverywhere(s.sql, planCache, version) {
								others = slices.DeleteFunc(others, aboutNoRows.MatchString)
							}
							if len(others) > 0 {
								t.Errorf("the server of site %d got %q", i+1, others)
							}
						}
					}
				})
			}
		}
	}

	t.Run("several sites", func(t *testing.T) {
		db, inSites := open(), scoped.With(t.Context(), "site", scoped.AnyOf(1, 2))
		for range 7 {
			wantIDs(inSites, t, db, []int64{11, 12, 21, 22}, "SELECT id FROM event ORDER BY id")
		}
		for i, want := range []bool{true, true, false} {
			if got := len(shards[i].sent(t)) > 0; got != want {
				t.Errorf("the server of site %d was sent statements: %v", i+1, got)
			}
		}
	})

	// The row goes where its column says, and its check fails there.
	t.Run("a row that names another site", func(t *testing.T) {
		_, err := open().ExecContext(inSite, "INSERT INTO event (site_id, id, kind) VALUES (3, 33, 'new')")
		if !errors.Is(err, scoped.ErrViolation) {
			t.Errorf("got %v, want a violation", err)
		}
		if sent := shards[2].sent(t); !slices.Contains(sent, "ABORT TRANSACTION") || slices.Contains(sent, "COMMIT TRANSACTION") {
			t.Errorf("the server of site 3 got %q", sent)
		}
	})
}

// rolledBack executes a statement in a transaction of its own.
func rolledBack(ctx context.Context, t *testing.T, db *sql.DB, rows int64, query string) {
	t.Helper()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	wantExec(ctx, t, tx, rows, query)
}
