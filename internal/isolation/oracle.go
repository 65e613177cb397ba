// Package isolation is the oracle of the guarantee: it runs the same statement
// as it is on a database that holds only a tenant's rows, and rewritten on one
// that holds everybody's, and compares what they return and what they leave
// behind. The rows of others are poison: whatever is evaluated on one fails or
// shows itself.
//
// A statement whose answer PostgreSQL leaves open, such as LIMIT without ORDER
// BY, is set aside where the tenant's own database shows that it is: laid out
// differently or under other plans, it gives another answer. What shows or
// changes a row of others is never set aside.
package isolation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A Verdict says what became of a statement.
type Verdict string

const (
	Same         Verdict = "same"         // both answers agree
	Violation    Verdict = "violation"    // the statement would leave the scope, and failed for that
	SideChannel  Verdict = "side channel" // a key told of a row of others, as is documented
	Undetermined Verdict = "undetermined" // PostgreSQL leaves the answer open
	Timeout      Verdict = "timeout"      // it ran too long somewhere
	Rejected     Verdict = "rejected"     // the server does not accept it as it is
	Refused      Verdict = "refused"      // the rewriter does not accept it
	Order        Verdict = "order"        // a condition was evaluated on another's row and failed
	Leak         Verdict = "leak"         // a row of others is shown or changed
	Different    Verdict = "different"    // anything else
)

// A Result is what was found of one statement.
type Result struct {
	Verdict Verdict
	Detail  string // the reason of a refusal, rejection or setting aside, or the difference
	Writes  bool   // the statement does
	Failed  bool   // both arms failed alike
	Rows    int    // in the answer

	// Security is how row-level security differs from the tenant's own
	// database, where it was asked and does.
	Security string
}

// An Oracle holds the databases. It runs one statement at a time.
type Oracle struct {
	scope   Scope
	own     []*arm // the tenant's own database, in several layouts and settings
	full    []*arm // everybody's database, in several settings
	mild    *arm   // everybody's database, where the rows of others are no poison
	secured *arm   // everybody's database under row-level security, or nil
	rewrite func(sql string) (*rewrite.Rewrite, error)
	sound   func(sql string) (*rewrite.Rewrite, error) // the rewriter's own
	before  *outcome                                   // what the tables of full hold
	// What the tables of full and mild hold outside the scope.
	hidden, hiddenMild map[string]sum
}

// A CreateDatabase makes a database of scripts and returns its URL.
type CreateDatabase func(ctx context.Context, scripts ...string) (string, error)

// layouts are the orders in which the rows of the tenant's databases were written.
var layouts = []string{"", "md5(t::text)", "md5(t::text || 1)"}

// NewOracle creates the databases for a scope. Secured adds that of row-level security.
func NewOracle(ctx context.Context, create CreateDatabase, s Scope, secured bool) (*Oracle, error) {
	p, err := policy.Parse("policy.yaml", s.policy())
	if err != nil {
		return nil, err
	}
	shape := s.shape(p)
	schemas := make([]string, len(p.Dimensions()))
	if d := p.Dimension("tenant"); d != nil {
		schemas[d.Index] = tenantSchema
	}
	sound := func(sql string) (*rewrite.Rewrite, error) {
		r, err := rewrite.New(sql, p, shape)
		if err != nil || len(r.Schemas) == 0 {
			return r, err
		}
		return r.In(schemas)
	}
	o := &Oracle{scope: s, rewrite: sound, sound: sound}
	add := func(arms *[]*arm, dsn, settings string) error {
		a, err := connect(ctx, dsn, s, arms == &o.own, settings)
		if err == nil {
			*arms = append(*arms, a)
		}
		return err
	}
	for i, order := range layouts {
		scripts := []string{s.inSchema(schemaSQL), s.inSchema(OwnSchema(s))}
		if order != "" {
			scripts = append(scripts, s.inSchema(layoutSQL(order, Tables())))
		}
		dsn, err := create(ctx, scripts...)
		for j := range settings {
			if err == nil {
				err = add(&o.own, dsn, settings[(i+j)%len(settings)])
			}
		}
		if err != nil {
			o.Close()
			return nil, err
		}
	}
	// The second copy is to differ from the first in layout and in settings.
	o.own[1], o.own[len(settings)] = o.own[len(settings)], o.own[1]
	dsn, err := create(ctx, s.full(schemaSQL)...)
	for _, set := range settings[:Plans] {
		if err == nil {
			err = add(&o.full, dsn, set)
		}
	}
	if err == nil {
		dsn, err = create(ctx, s.full(mildSQL())...)
	}
	if err == nil {
		o.mild, err = connect(ctx, dsn, s, false)
	}
	if err == nil && secured {
		dsn, err = create(ctx, schemaSQL, securitySQL(s))
		if err == nil {
			o.secured, err = connect(ctx, dsn, s, false, "SET ROLE "+tenantRole)
		}
		if err == nil {
			o.secured.role = true
		}
	}
	var before, beforeMild *outcome
	if err == nil {
		before, err = o.full[0].untouched(ctx)
	}
	if err == nil {
		beforeMild, err = o.mild.untouched(ctx)
	}
	if err == nil {
		o.before, o.hidden, o.hiddenMild = before, before.hidden, beforeMild.hidden
		err = o.compareCopies(ctx, before)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// compareCopies demands that the tenant's own databases hold what the full one
// shows of the scope, and nothing else.
func (o *Oracle) compareCopies(ctx context.Context, before *outcome) error {
	for i, a := range o.own {
		own, err := a.untouched(ctx)
		if err != nil {
			return err
		}
		for table, s := range own.visible {
			if s != before.visible[table] || !own.hidden[table].isEmpty() {
				return fmt.Errorf("isolation: copy %d of the tenant's database differs from the full one in table %s", i, table)
			}
		}
	}
	return nil
}

// Version returns the server's major version.
func (o *Oracle) Version() int {
	major, _, _ := strings.Cut(o.own[0].conn.ParameterStatus("server_version"), ".")
	version, _ := strconv.Atoi(major)
	return version
}

// Unscoped makes the oracle send every statement as it is, as a rewriter without
// any rules would. It is for the tests of the oracle itself.
func (o *Oracle) Unscoped() {
	o.rewrite = func(sql string) (*rewrite.Rewrite, error) { return &rewrite.Rewrite{SQL: sql}, nil }
}

// Corrupt makes the oracle change the text of every rewrite, as a fault of the
// rewriter would. It is for the tests of the oracle itself.
func (o *Oracle) Corrupt(fault func(sql string) string) {
	o.rewrite = func(sql string) (*rewrite.Rewrite, error) {
		r, err := o.sound(sql)
		if err != nil {
			return nil, err
		}
		corrupt := *r
		corrupt.SQL = fault(r.SQL)
		return &corrupt, nil
	}
}

// Close disconnects.
func (o *Oracle) Close() {
	for _, a := range append(append([]*arm{o.secured, o.mild}, o.own...), o.full...) {
		if a != nil {
			a.close()
		}
	}
}

// userArgs are the values of the parameters of every statement.
var userArgs = [][]byte{[]byte("3"), []byte("alpha"), []byte("5")}

// Plans is the number of sets of planner settings under which a rewrite can be run.
const Plans = 4

// Ask runs a statement through the arms, its rewrite under one set of planner settings.
func (o *Oracle) Ask(ctx context.Context, sql string, plan int) (Result, error) {
	sql = o.scope.statement(sql)
	writes, order := kindOf(sql)
	result, err := o.ask(ctx, sql, plan, writes, order)
	result.Writes = writes
	return result, err
}

func (o *Oracle) ask(ctx context.Context, sql string, plan int, writes bool, order int) (Result, error) {
	params := 0
	if strings.Contains(sql, "$") {
		var err error
		if params, err = rewrite.Params(sql); err != nil {
			return Result{Verdict: Rejected, Detail: err.Error()}, nil
		}
	}
	if params > len(userArgs) {
		return Result{Verdict: Rejected, Detail: "too many parameters"}, nil
	}
	user := userArgs[:params:params]
	original := question{sql: sql, args: user, writes: writes}
	want, err := o.own[0].run(ctx, original)
	if err != nil {
		return Result{}, fmt.Errorf("the tenant's own database: %w", err)
	}
	if rejects(want.code) {
		return Result{Verdict: Rejected, Detail: want.code + " " + want.message}, nil
	}
	r, err := o.rewrite(sql)
	if why := reason(err); strings.HasPrefix(why, string(rewrite.CodeCertificate)) {
		return Result{Verdict: Different, Detail: why}, nil // no leak, but a bug
	} else if err != nil {
		return Result{Verdict: Refused, Detail: why}, nil
	}
	c := &comparison{
		oracle:   o,
		original: original,
		rewrite:  r,
		plan:     plan,
		altered:  question{sql: r.SQL, args: append(user, o.scope.args(r.Args)...), writes: writes},
		ordered:  order > 0 && order == len(want.fields),
		want:     want,
	}
	if c.got, err = c.altered.on(ctx, o.full[plan], r); err != nil {
		return Result{}, fmt.Errorf("the full database: %w", err)
	}
	result, err := c.result(ctx)
	if err != nil {
		return Result{}, err
	}
	result.Rows = len(want.rows)
	if o.secured != nil && result.Verdict != Undetermined && result.Verdict != Timeout {
		if err := o.askSecurity(ctx, &result, original, want, c.ordered); err != nil {
			return Result{}, err
		}
	}
	return result, nil
}

// A comparison is that of what the tenant's own database answered, want, with
// what the rewrite did on the full one, got.
type comparison struct {
	oracle    *Oracle
	original  question
	altered   question // the original rewritten
	rewrite   *rewrite.Rewrite
	plan      int
	ordered   bool // the statement decides the order of the rows
	want, got *outcome
}

// result judges got, and looks for the reason where it differs.
func (c *comparison) result(ctx context.Context) (Result, error) {
	o := c.oracle
	again, err := o.own[1].run(ctx, c.original)
	if err != nil {
		return Result{}, fmt.Errorf("the second copy of the tenant's own database: %w", err)
	}
	open := c.want.differs(again, c.ordered) != ""
	result := c.judge(c.want, c.got, o.hidden)
	switch result.Verdict {
	case Same:
		if open {
			result = Result{Verdict: Undetermined, Detail: byChance}
		}
	case Different, Order:
		if result, err = c.explain(ctx, result, open); err != nil || result.Verdict != Order {
			return result, err
		}
		// Whether its answer is right otherwise is seen where nothing fails.
		got, err := c.altered.on(ctx, o.mild, c.rewrite)
		if err != nil {
			return Result{}, fmt.Errorf("the mild database: %w", err)
		}
		if mild := c.judge(c.want, got, o.hiddenMild); mild.Verdict == Different && !open {
			result = mild
		}
	}
	return result, nil
}

// rejects reports whether a statement was not even begun: it is malformed, or
// uses what the server lacks.
func rejects(code string) bool {
	return strings.HasPrefix(code, "42") || code == "0A000" || code == "54001" || code == "54011"
}

// judge compares two answers. Hidden is what the database of got held outside the scope.
func (c *comparison) judge(want, got *outcome, hidden map[string]sum) Result {
	if want.code == "57014" || got.code == "57014" {
		return Result{Verdict: Timeout}
	}
	// What follows holds of every statement, also of one whose answer is open.
	if strings.Contains(got.message, "poison") && !strings.Contains(want.message, "poison") {
		return Result{Verdict: Leak, Detail: "the message shows a row of others: " + got.code + " " + got.message}
	}
	for _, row := range got.rows {
		if strings.Contains(row, "poison") {
			return Result{Verdict: Leak, Detail: "a row of others is returned: " + row}
		}
	}
	if strings.Contains(c.original.sql, "DO NOTHING") && !got.failed() && (want.left || want.taken) && maps.Equal(got.hidden, hidden) {
		// A row which the tenant's own database took met another scope's row and
		// was left out for that.
		return Result{Verdict: SideChannel, Detail: "ON CONFLICT DO NOTHING"}
	}
	if got.hidden != nil {
		for table, s := range hidden {
			if got.hidden[table] == s.plus(want.hidden[table]) {
				continue
			}
			detail := "rows of others changed: table " + table
			if !want.hidden[table].isEmpty() { // by as much as in the tenant's own database?
				return Result{Verdict: Different, Detail: detail}
			}
			return Result{Verdict: Leak, Detail: detail}
		}
	}
	if got.failed() {
		if violates(got) {
			if want.failed() || want.left {
				return Result{Verdict: Violation}
			}
			if want.taken && strings.Contains(c.original.sql, "ON CONFLICT") {
				return Result{Verdict: SideChannel, Detail: "ON CONFLICT DO UPDATE"}
			}
			return Result{Verdict: Different, Detail: "a violation where no row leaves the scope: " + got.message}
		}
		if got.code == "23503" && got.code != want.code && crossing[got.rule] {
			return Result{Verdict: SideChannel, Detail: got.rule}
		}
		if got.code == "23505" && (want.left || want.taken || want.failed() && want.code != got.code) {
			// The key is another scope's row's. A row with another scope's value
			// meets it before its check could fail.
			return Result{Verdict: SideChannel, Detail: got.rule}
		}
		if got.code == "23502" && got.code != want.code && isFilled(got.column) {
			// INSERT without a column list and with DEFAULT, or too few values, for
			// the scope's column: only the tenant's own database has a default.
			return Result{Verdict: Undetermined, Detail: "the default of " + got.column}
		}
		if isDataError(got.code) && got.code != want.code {
			return Result{Verdict: Order, Detail: evaluated(c.rewrite) + got.code + " " + got.message}
		}
	} else if want.left {
		return Result{Verdict: Different, Detail: "a row left the scope without a violation"}
	}
	if d := want.differs(got, c.ordered); d != "" {
		return Result{Verdict: Different, Detail: d}
	}
	return Result{Verdict: Same, Failed: want.failed()}
}

// askSecurity runs a statement under row-level security.
func (o *Oracle) askSecurity(ctx context.Context, result *Result, q question, want *outcome, ordered bool) error {
	got, err := o.secured.run(ctx, q)
	if err != nil {
		return fmt.Errorf("row-level security: %w", err)
	}
	aside := want.left || want.taken || want.failed()
	switch {
	case got.code == "57014", got.code == "42501" && aside, got.code == "23505" && aside, got.code == "23503" && crossing[got.rule]:
		return nil // a violation or a side channel, as in the other arms
	}
	result.Security = want.differs(got, ordered)
	if result.Security == "" {
		return nil
	}
	for _, a := range o.own[2:] {
		if other, err := a.run(ctx, q); err != nil || want.differs(other, ordered) != "" {
			result.Security = ""
			return err
		}
	}
	return nil
}

// violates reports whether a check of the rewriter's failed.
func violates(o *outcome) bool {
	return o.code == "22P02" && strings.Contains(o.message, "scoped-pgx:")
}

// isDataError reports whether an expression failed on the value of a row.
func isDataError(code string) bool {
	return strings.HasPrefix(code, "22") || code == "54000"
}

func evaluated(r *rewrite.Rewrite) string {
	if weaklyGuarded(r) {
		return "evaluated on a row of others: "
	}
	return "evaluated on a row of others, before an equality: "
}

// isFilled reports whether the tenant's own databases have a default for a column.
func isFilled(column string) bool {
	return slices.ContainsFunc(visibilities, func(v visibility) bool { return slices.Contains(strings.Fields(v.fill), column) })
}

// weaklyGuarded reports whether a table of the statement has a guard that the
// planner may evaluate after the user's conditions.
func weaklyGuarded(r *rewrite.Rewrite) bool {
	for _, t := range r.Tables {
		if strings.Contains(t.Guard, "SELECT") || strings.Contains(t.Guard, "ANY") {
			return true
		}
	}
	return false
}

var quoted = regexp.MustCompile(`"[^"]*"|\(line [0-9]+, column [0-9]+\)|\b(table|writes to|of) [a-z0-9_.]+`)

// reason returns why the rewriter refused a statement, without its names.
func reason(err error) string {
	if err == nil {
		return ""
	}
	var e *rewrite.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return string(e.Code) + ": " + quoted.ReplaceAllString(e.Message, "$1 …")
}

// kindOf reports whether a statement writes, and by how many columns an ORDER BY
// at its end decides the order of its rows: as many as it names from the first.
func kindOf(sql string) (writes bool, order int) {
	stmts, err := pgparse.Parse(sql)
	if err != nil || len(stmts) != 1 {
		return false, 0
	}
	stmt := pgparse.Unwrap(stmts[0].Stmt)
	s, ok := stmt.(*pgparse.SelectStmt)
	if !ok {
		return true, 0
	}
	for _, c := range s.WithClause.GetCtes() {
		if _, ok := pgparse.Unwrap(c.GetCommonTableExpr().GetCtequery()).(*pgparse.SelectStmt); !ok {
			return true, 0
		}
	}
	for i, n := range s.SortClause {
		if n.GetSortBy().GetNode().GetAConst().GetIval().GetIval() != int32(i+1) {
			return false, 0
		}
	}
	return false, len(s.SortClause)
}
