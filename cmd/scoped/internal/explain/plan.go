package explain

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A PlanLine is a line of a plan.
type PlanLine struct {
	Text  string `json:"text"`
	Guard bool   `json:"guard"` // the line is there because of a guard
}

// Ask asks the server for the generic plans of what is sent and of the statement
// without guards, and for the indexes that serve the guards. Args are the values
// of the statement's own parameters, or none.
//
// With analyze what is sent is run too, with args, in a transaction that cannot
// write and is rolled back. It must be a statement that only reads. The statement
// without guards is never run.
func (r *Report) Ask(ctx context.Context, conn *pgx.Conn, args []string, analyze bool) error {
	if r.Error != nil {
		return nil
	}
	if err := r.check(args, analyze); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	p := &planner{ctx: ctx, tx: tx, args: args}
	err = p.prepare(r.scope.SearchPath())
	if err == nil {
		// What the server finds wrong it says of the user's own text first.
		r.PlanWithout, err = p.explain("scoped_without", r.SQL, r.outcome.Params, nil, "VERBOSE")
	}
	var sent []string
	if err == nil {
		options := "VERBOSE"
		if analyze {
			options += ", ANALYZE"
		}
		sent, err = p.explain("scoped_sent", r.Sent, r.outcome.Params, r.Args, options)
	}
	if err == nil {
		r.Plan = r.marked(sent)
		err = r.indexes(ctx, tx)
	}
	if refusal, ok := r.serverRefusal(err); ok {
		r.Error, err = refusal, nil
	}
	return err
}

func (r *Report) check(args []string, analyze bool) error {
	if len(args) > 0 && len(args) != r.outcome.Params {
		return fmt.Errorf("--arg is given %d times, and the statement's last parameter is $%d", len(args), r.outcome.Params)
	}
	if len(args) < r.outcome.Params && r.declaresCursor() {
		return fmt.Errorf("a cursor is planned for the values of its parameters, up to $%d; give each with --arg", r.outcome.Params)
	}
	if !analyze {
		return nil
	}
	if r.scope.Disabled != "" {
		return errors.New("--analyze runs the statement, and --disabled says nothing of what it does; leave one of them out")
	}
	for _, t := range r.Tables {
		if t.Access != "read" {
			return fmt.Errorf("--analyze runs the statement, which writes to %s (%s); leave --analyze out", t.Name, t.Access)
		}
	}
	if len(args) < r.outcome.Params {
		return fmt.Errorf("--analyze runs the statement, which has parameters up to $%d; give the value of each with --arg", r.outcome.Params)
	}
	return nil
}

func (r *Report) declaresCursor() bool {
	return r.outcome.Rewrite != nil && slices.ContainsFunc(r.outcome.Rewrite.Cursors, func(use rewrite.CursorUse) bool {
		return use.Op == rewrite.DeclareCursor
	})
}

// A planner asks for plans in one transaction.
type planner struct {
	ctx  context.Context
	tx   pgx.Tx
	args []string
}

// prepare has the server plan for all values, as it does for statements that are
// run often, and look for names where the scope does.
func (p *planner) prepare(searchPath []string) error {
	path := make([]string, len(searchPath))
	for i, schema := range searchPath {
		path[i] = pgx.Identifier{schema}.Sanitize()
	}
	_, err := p.tx.Exec(p.ctx, "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('search_path', $1, true)",
		strings.Join(path, ", "))
	return err
}

// explain returns the plan of a statement with params parameters of its own and
// the scope's arguments behind them.
func (p *planner) explain(name, sql string, params int, scope []Argument, options string) ([]string, error) {
	if _, err := p.tx.Prepare(p.ctx, name, sql); err != nil {
		return nil, err
	}
	defer p.tx.Conn().Deallocate(p.ctx, name)
	values := make([]any, 0, params+len(scope))
	for i := range params {
		if len(p.args) > 0 {
			values = append(values, p.args[i])
		} else {
			values = append(values, nil)
		}
	}
	for _, a := range scope {
		values = append(values, valueText(a.Value))
	}
	query := "EXPLAIN (" + options + ") EXECUTE " + name
	if len(values) > 0 {
		places := make([]string, len(values))
		for i := range places {
			places[i] = "$" + strconv.Itoa(i+1)
		}
		query += "(" + strings.Join(places, ", ") + ")"
	}
	rows, err := p.tx.Query(p.ctx, query, append([]any{pgx.QueryExecModeSimpleProtocol}, values...)...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return slices.DeleteFunc(lines, func(line string) bool {
		line = strings.TrimSpace(line)
		return strings.HasPrefix(line, "Output: ") || strings.HasPrefix(line, "Query Identifier: ")
	}), err
}

// valueText returns a value of a scope as PostgreSQL's text form, several as an
// array.
func valueText(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	elements := make([]string, len(list))
	for i, v := range list {
		elements[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(fmt.Sprint(v)) + `"`
	}
	return "{" + strings.Join(elements, ",") + "}"
}

// serverRefusal returns what the server finds wrong with the statement.
func (r *Report) serverRefusal(err error) (*Refusal, bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return nil, false
	}
	refusal := &Refusal{Code: e.Code, Message: e.Message, Hint: e.Hint, Position: int(e.Position)}
	if r.PlanWithout != nil && r.outcome.Rewrite != nil && refusal.Position > 0 {
		refusal.Position = r.outcome.Rewrite.UserPosition(refusal.Position)
	}
	if refusal.Position > 0 {
		offset := len(r.SQL)
		if runes := []rune(r.SQL); refusal.Position <= len(runes) {
			offset = len(string(runes[:refusal.Position-1]))
		}
		refusal.place = rewrite.PositionAt(r.SQL, offset)
	}
	return refusal, true
}

// What lines of plans are made of.
var (
	condition    = regexp.MustCompile(`^\s*(?:[A-Z][A-Za-z-]* )?(?:Cond|Filter): (.*)$`)
	parameter    = regexp.MustCompile(`\$[0-9]+`)
	insertedName = regexp.MustCompile(`\bscoped[0-9]*_[0-9]+\b`)
	subplan      = regexp.MustCompile(`^\s*((?:SubPlan|InitPlan) [0-9]+)`)
	node         = regexp.MustCompile(`^ *(?:->|SubPlan|InitPlan) `)
	scan         = regexp.MustCompile(`^ *->  (?:Parallel )?(?:(?:Seq|Sample|Index|Index Only|Bitmap Heap|Tid|Tid Range|Subquery|Function|Table Function|Values|CTE|Named Tuplestore|WorkTable|Foreign|Custom) Scan|Result)\b`)
	returned     = regexp.MustCompile(`\(returns ([^)]*)\)`)
)

// marked marks the lines of the plan of what is sent that guards are the reason
// for: those that name a parameter of the scope or a table that was inserted, the
// subplans of such tables, and conditions of the policy.
func (r *Report) marked(lines []string) []PlanLine {
	names := insertedName.FindAllString(r.inserted(), -1)
	for i := range r.Args {
		names = append(names, "$"+strconv.Itoa(r.Args[i].Parameter))
	}
	// Before PostgreSQL 17 the results of subplans are called like parameters.
	for _, line := range lines {
		if m := returned.FindStringSubmatch(line); m != nil {
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(strings.Split(m[1], ","), name) })
		}
	}
	plan := make([]PlanLine, len(lines))
	for i, line := range lines {
		named := append(insertedName.FindAllString(line, -1), parameter.FindAllString(line, -1)...)
		plan[i] = PlanLine{line, r.policyCondition(line) ||
			slices.ContainsFunc(named, func(name string) bool { return slices.Contains(names, name) })}
	}
	for i := range plan {
		if node.MatchString(plan[i].Text) {
			markNode(plan[i:nodeEnd(plan, i)])
		}
	}
	for _, l := range plan {
		if m := subplan.FindStringSubmatch(l.Text); m != nil && l.Guard {
			use := regexp.MustCompile(`\b` + m[1] + `\b`)
			for i := range plan {
				plan[i].Guard = plan[i].Guard || use.MatchString(plan[i].Text)
			}
		}
	}
	return plan
}

// nodeEnd returns the line behind the node that begins at a line of a plan, and
// all that is below it.
func nodeEnd(plan []PlanLine, start int) int {
	indent := func(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
	end := start + 1
	for end < len(plan) && indent(plan[end].Text) > indent(plan[start].Text) {
		end++
	}
	return end
}

// markNode marks all of a node that only reads tables that guards inserted, and a
// scan of an index for a guard.
func markNode(lines []PlanLine) {
	inserted, own := 0, 0
	for _, l := range lines {
		if scan.MatchString(l.Text) {
			if l.Guard {
				inserted++
			} else {
				own++
			}
		}
	}
	indexScan := strings.Contains(lines[0].Text, "->  Bitmap Index Scan ") && len(lines) > 1 && lines[1].Guard
	if inserted > 0 && own == 0 || indexScan {
		for i := range lines {
			lines[i].Guard = true
		}
	}
}

// policyCondition reports whether a line has a condition that the plan without
// guards lacks, on a column that holds a table's scope or that its where names.
func (r *Report) policyCondition(line string) bool {
	for _, c := range conjuncts(line) {
		lacks := !slices.ContainsFunc(r.PlanWithout, func(line string) bool { return slices.Contains(conjuncts(line), c) })
		if lacks && slices.ContainsFunc(r.Tables, func(t Table) bool { return namesColumn(t.policy, c) }) {
			return true
		}
	}
	return false
}

func namesColumn(t *policy.Table, condition string) bool {
	if t == nil {
		return false
	}
	var columns []string
	if t.Where != nil {
		columns = slices.Clone(t.Where.Columns)
	}
	for i := range t.Scopings {
		for _, way := range ways(&t.Scopings[i]) {
			if way.Path == nil {
				columns = append(columns, way.Column)
			}
		}
	}
	return slices.ContainsFunc(columns, func(name string) bool { return strings.Contains(condition, "."+quoted(name)) })
}

// conjuncts returns the conditions of a line that AND connects.
func conjuncts(line string) []string {
	m := condition.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	text := m[1]
	if !strings.HasPrefix(text, "((") {
		return []string{text}
	}
	var all []string
	depth, start := 0, 1
	for i, c := range text {
		switch c {
		case '(':
			depth++
		case ')':
			depth--
		}
		if rest := text[i:]; depth == 1 && strings.HasPrefix(rest, " AND (") {
			all = append(all, text[start:i])
			start = i + len(" AND ")
		}
	}
	return append(all, text[start:len(text)-1])
}

func quoted(name string) string {
	for i, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return pgx.Identifier{name}.Sanitize()
		}
	}
	return name
}
