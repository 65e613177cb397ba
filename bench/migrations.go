package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

const tenantRules = `version: 1
dimensions: {tenant: {schema: "t_{value}", template: t__template, registry: tenant(slug)}}
tables: {tenant: shared, "part_*": {tenant: schema}, "scoped_migration*": denied}
`

// tenantTemplate has 20 tables, each with a key, a sequence, a reference and an index.
func tenantTemplate() string {
	var b strings.Builder
	b.WriteString("CREATE TABLE tenant (slug text PRIMARY KEY);\nCREATE SCHEMA t__template;\n")
	for i := range 20 {
		fmt.Fprintf(&b, `CREATE TABLE t__template.part_%[1]d (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    of_id bigint NOT NULL REFERENCES t__template.part_%[2]d,
    name text NOT NULL
);
CREATE INDEX ON t__template.part_%[1]d (of_id);
`, i, max(i-1, 0))
	}
	return b.String()
}

// migration is of one column with an index, as each: no two are on the same table.
func migration(i int) string {
	return fmt.Sprintf("ALTER TABLE part_%[1]d ADD COLUMN added bigint;\nCREATE INDEX part_%[1]d_added ON part_%[1]d (added);\n", i)
}

// asInstalled are PostgreSQL's own settings in the place of those that make tests
// fast: whoever commits more often waits more often.
var asInstalled = []string{
	"fsync=on", "full_page_writes=on", "synchronous_commit=on", "wal_level=replica", "autovacuum=on", "jit=on", "shared_buffers=128MB",
}

// migrationResults are those of schemas that are made and migrated. They have their
// machine because they are run apart.
type migrationResults struct {
	Machine machine         `json:"machine"`
	Among   []migrationStep `json:"among"`
}

// A migrationStep is what was measured among so many schemas. Those of the
// migrations are by round, in which all ways have their turn.
type migrationStep struct {
	Schemas   int    `json:"schemas"`
	Relations int    `json:"relations"` // of the database
	Create    pace   `json:"create"`
	Each      []pace `json:"psql_each"`
	Once      []pace `json:"psql_once"`
	Migrate   []pace `json:"migrate"`
	Diff      pace   `json:"diff"`
}

// A pace is of the schemas in a second. The memory is the most that was seen, of the
// command's process, and of the server's processes for it without what they share.
type pace struct {
	PerSecond float64 `json:"per_second"`
	MiB       float64 `json:"mib,omitempty"`
	ServerMiB float64 `json:"server_mib,omitempty"`
}

// toEach returns the ratios of migrate to psql for each schema.
func (s *migrationStep) toEach() []float64 { return ratios(rates(s.Migrate), rates(s.Each)) }

func rates(paces []pace) []float64 {
	each := make([]float64, len(paces))
	for i, p := range paces {
		each[i] = p.PerSecond
	}
	return each
}

// steps returns the numbers of schemas up to the most.
func steps(most int) []int {
	all := []int{most}
	for _, n := range []int{100, 500, 1000, 2000, 4000, 8000} {
		if n < most {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// migrations makes and migrates more and more schemas, by the command and by psql.
func (b *bench) migrations(ctx context.Context) error {
	most := b.most
	if b.quick {
		most = min(most, 100)
	}
	if most < 1 {
		return errors.New("-schemas: it takes at least one")
	}
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", dir, ".")
	build.Dir = filepath.Join("..", "cmd", "scoped")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	psql, err := pgtest.FindProgram("psql")
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nSchemas of 20 tables, made and migrated\n")
	r := &migrationResults{Machine: thisMachine("")}
	for _, n := range steps(most) {
		t := &tenantSchemas{dir: dir, psql: psql, count: n}
		s, err := t.measure(ctx)
		if err != nil {
			return fmt.Errorf("%d schemas: %w", n, err)
		}
		r.Machine.PostgreSQL, r.Among = t.version(), append(r.Among, s)
		b.reportMigrations(s)
	}
	b.results.Migrations = r
	return nil
}

// tenantSchemas are so many schemas in a server of their own, and what works on them.
type tenantSchemas struct {
	database
	dir   string // of the command, the policy and the migrations
	psql  string
	count int
}

// measure makes the schemas and migrates them.
func (t *tenantSchemas) measure(ctx context.Context) (s migrationStep, err error) {
	s.Schemas = t.count
	defer t.close()
	if err := t.open(ctx, tenantTemplate(), asInstalled...); err != nil {
		return s, err
	}
	var durable bool
	if err := t.ask(ctx, &durable, "SELECT current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off'"); err != nil {
		return s, err
	}
	if !durable {
		return s, errors.New("the server of SCOPED_TEST_DSN may lose what was committed; set its fsync and synchronous_commit")
	}
	if err := os.WriteFile(filepath.Join(t.dir, "policy.yaml"), []byte(tenantRules), 0o644); err != nil {
		return s, err
	}
	values := make([]string, t.count)
	for i := range values {
		values[i] = strconv.Itoa(i + 1)
	}
	if s.Create, err = t.scoped(ctx, "create", values...); err != nil {
		return s, err
	}
	if err := t.ask(ctx, &s.Relations, "SELECT count(*) FROM pg_class"); err != nil {
		return s, err
	}

	ways := []struct {
		paces   *[]pace
		migrate func(ctx context.Context, migration string) (pace, error)
	}{{&s.Each, t.psqlEach}, {&s.Once, t.psqlOnce}, {&s.Migrate, t.migrate}}
	const rounds = 2
	for round := range rounds {
		for i, way := range ways {
			// All begin with nothing left to be written.
			if _, err := t.admin.Exec(ctx, "CHECKPOINT"); err != nil {
				return s, err
			}
			p, err := way.migrate(ctx, migration(round*len(ways)+i))
			if err != nil {
				return s, err
			}
			*way.paces = append(*way.paces, p)
		}
		slices.Reverse(ways)
	}

	if s.Diff, err = t.scoped(ctx, "diff"); err != nil {
		return s, err
	}
	var migrated int
	if err := t.ask(ctx, &migrated, "SELECT count(*) FROM pg_indexes WHERE indexdef LIKE '%(added)'"); err != nil {
		return s, err
	}
	if want := rounds * len(ways) * len(t.names()); migrated != want {
		return s, fmt.Errorf("there are %d new indexes instead of %d", migrated, want)
	}
	return s, nil
}

func (t *tenantSchemas) ask(ctx context.Context, answer any, query string) error {
	return t.admin.QueryRow(ctx, query).Scan(answer)
}

// names returns those of the template and of the schemas.
func (t *tenantSchemas) names() []string {
	names := []string{"t__template"}
	for i := range t.count {
		names = append(names, fmt.Sprintf("t_%d", i+1))
	}
	return names
}

// psqlEach runs one psql after the other.
func (t *tenantSchemas) psqlEach(ctx context.Context, migration string) (pace, error) {
	return t.timed(func(*pace) error {
		for _, name := range t.names() {
			if err := t.runPsql(ctx, "", "-c", "SET search_path = "+name+";\n"+migration); err != nil {
				return err
			}
		}
		return nil
	})
}

// psqlOnce has one psql read everything, with a transaction for each schema, as psql
// makes one of -c.
func (t *tenantSchemas) psqlOnce(ctx context.Context, migration string) (pace, error) {
	var script strings.Builder
	for _, name := range t.names() {
		script.WriteString("BEGIN;\nSET search_path = " + name + ";\n" + migration + "COMMIT;\n")
	}
	return t.timed(func(*pace) error { return t.runPsql(ctx, script.String()) })
}

func (t *tenantSchemas) runPsql(ctx context.Context, input string, args ...string) error {
	c := exec.CommandContext(ctx, t.psql, append([]string{"-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", t.dsn}, args...)...)
	c.Stdin = strings.NewReader(input)
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("psql: %w\n%s", err, out)
	}
	return nil
}

// migrate adds a file to those that ran.
func (t *tenantSchemas) migrate(ctx context.Context, migration string) (pace, error) {
	folder := filepath.Join(t.dir, strconv.Itoa(t.count))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return pace{}, err
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		return pace{}, err
	}
	if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.sql", len(files))), []byte(migration), 0o644); err != nil {
		return pace{}, err
	}
	return t.scoped(ctx, "migrate", folder)
}

// scoped runs scoped schema with four jobs, and watches its memory. What the system
// says of a process that has ended would include the memory of this one, from which
// it was forked.
func (t *tenantSchemas) scoped(ctx context.Context, name string, args ...string) (pace, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := exec.CommandContext(ctx, filepath.Join(t.dir, "scoped"), slices.Concat([]string{
		"schema", name, "--jobs", "4", "--policy", filepath.Join(t.dir, "policy.yaml"), "--dsn", t.dsn}, args)...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	return t.timed(func(p *pace) error {
		if err := c.Start(); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		for {
			select {
			case err := <-done:
				if err != nil {
					err = fmt.Errorf("scoped schema %s: %w\n%s", name, err, out.Bytes())
				}
				return err
			case <-time.After(50 * time.Millisecond):
				if err := t.watch(ctx, c.Process.Pid, p); err != nil {
					return err
				}
			}
		}
	})
}

func (t *tenantSchemas) timed(do func(*pace) error) (p pace, err error) {
	took, err := timed(func() error { return do(&p) })
	p.PerSecond = float64(t.count) / took.Seconds()
	return p, err
}

// watch looks at the memory of a process, and of those of the server but for its own.
func (t *tenantSchemas) watch(ctx context.Context, process int, p *pace) error {
	p.MiB = max(p.MiB, memory(process, "VmHWM"))
	if !t.server.Owned() {
		return nil // and maybe not on this machine
	}
	const others = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
	rows, _ := t.admin.Query(ctx, others)
	processes, err := pgx.CollectRows(rows, pgx.RowTo[int])
	sum := 0.0
	for _, process := range processes {
		sum += memory(process, "RssAnon")
	}
	p.ServerMiB = max(p.ServerMiB, sum)
	return err
}

// memory returns in MiB what Linux says of a process in a line of its status, 0
// elsewhere, or where it is no more.
func memory(process int, line string) float64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", process))
	_, after, _ := strings.Cut(string(status), "\n"+line+":")
	var kib float64
	fmt.Sscan(after, &kib)
	return kib / 1024
}

// migrationTables are the rates and the memory, each below a heading.
func migrationTables(among []migrationStep) [2][][]string {
	speed := [][]string{{"schemas", "relations", "create", "psql -c for each", "one psql", "migrate", "to psql -c for each", "diff"}}
	memory := [][]string{{"schemas", "create, MiB", "server", "migrate, MiB", "server", "diff, MiB", "server"}}
	for _, s := range among {
		most := pace{}
		for _, p := range s.Migrate {
			most.MiB, most.ServerMiB = max(most.MiB, p.MiB), max(most.ServerMiB, p.ServerMiB)
		}
		speed = append(speed, []string{thousands(s.Schemas), thousands(s.Relations),
			rounded(0, s.Create.PerSecond), rounded(0, rates(s.Each)...), rounded(0, rates(s.Once)...),
			rounded(0, rates(s.Migrate)...), rounded(1, s.toEach()...), rounded(0, s.Diff.PerSecond)})
		memory = append(memory, []string{thousands(s.Schemas),
			rounded(0, s.Create.MiB), rounded(0, s.Create.ServerMiB), rounded(0, most.MiB), rounded(0, most.ServerMiB), rounded(0, s.Diff.MiB), rounded(0, s.Diff.ServerMiB)})
	}
	return [2][][]string{speed, memory}
}

// rounded prints numbers with so many decimals.
func rounded(decimals int, values ...float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatFloat(v, 'f', decimals, 64)
	}
	return strings.Join(texts, ", ")
}

func (b *bench) reportMigrations(s migrationStep) {
	for _, table := range migrationTables([]migrationStep{s}) {
		fmt.Fprintln(b.out)
		w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, line := range table {
			fmt.Fprintln(w, strings.Join(line, "\t")+"\t")
		}
		w.Flush()
	}
}

// markdown is what docs/schemas.md has of it, and bench/README.md.
func (r *migrationResults) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s. Schemas a second:\n", r.Machine)
	for i, table := range migrationTables(r.Among) {
		if i > 0 {
			b.WriteString("\nThe most memory of the command, and of the server's processes for it together, without what they share:\n")
		}
		b.WriteString("\n| " + strings.Join(table[0], " | ") + " |\n" + strings.Repeat("|---", len(table[0])) + "|\n")
		for _, line := range table[1:] {
			b.WriteString("| " + strings.Join(line, " | ") + " |\n")
		}
	}
	b.WriteString("\n")
	return b.String()
}
