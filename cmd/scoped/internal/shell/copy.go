package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A copying is what \copy does.
type copying struct {
	query   string   // to a file; else
	table   string   // from one
	columns []string // of the table; nil where none are named
	file    string
	header  bool
}

var errCopying = errors.New(`write \copy (QUERY) to FILE [csv] [header], or \copy TABLE [(COLUMNS)] to|from FILE [csv] [header]`)

// readCopy reads what stands behind \copy.
func readCopy(args string) (*copying, error) {
	c := &copying{}
	tokens, _ := tokens(args)
	depth, end := 0, -1 // of the last bracket
	from, at, behind := false, -1, -1
	for _, t := range tokens {
		switch t.Token {
		case pgparse.Token_ASCII_40:
			depth++
		case pgparse.Token_ASCII_41:
			if depth--; depth == 0 {
				end = int(t.Start)
			}
		case pgparse.Token_TO, pgparse.Token_FROM:
			if depth == 0 {
				from, at, behind = t.Token == pgparse.Token_FROM, int(t.Start), int(t.End)
			}
		}
		if at >= 0 {
			break
		}
	}
	if at < 0 {
		return nil, errCopying
	}
	left := strings.Trim(args[:at], blanks)
	if err := c.readTarget(args[behind:]); err != nil {
		return nil, err
	}
	if strings.HasPrefix(left, "(") {
		if from || end < 0 || strings.Trim(args[end+1:at], blanks) != "" {
			return nil, errCopying
		}
		c.query = args[strings.IndexByte(args, '(')+1 : end]
		return c, nil
	}
	name, list, hasList := strings.Cut(left, "(")
	if c.table = strings.TrimSpace(name); c.table == "" {
		return nil, errCopying
	}
	if hasList {
		list, ok := strings.CutSuffix(strings.TrimRight(list, blanks), ")")
		if !ok {
			return nil, errCopying
		}
		for column := range strings.SplitSeq(list, ",") {
			_, column = splitName(strings.TrimSpace(column))
			c.columns = append(c.columns, column)
		}
	}
	if !from {
		columns := "*"
		if hasList {
			columns = quoteColumns(c.columns)
		}
		c.query, c.table = "SELECT "+columns+" FROM "+c.table, ""
	}
	return c, nil
}

// readTarget reads the file and what stands behind it, psql's ways of saying CSV
// and HEADER among it.
func (c *copying) readTarget(text string) error {
	text = strings.TrimLeft(text, blanks)
	if rest, ok := strings.CutPrefix(text, "'"); ok {
		end := strings.IndexByte(rest, '\'')
		if end < 0 {
			return errCopying
		}
		c.file, text = rest[:end], rest[end+1:]
	} else if i := strings.IndexAny(text, blanks); i >= 0 {
		c.file, text = text[:i], text[i:]
	} else {
		c.file, text = text, ""
	}
	if c.file = fileName(c.file); c.file == "" {
		return errCopying
	}
	text = strings.NewReplacer("(", " ", ")", " ", ",", " ").Replace(strings.ToLower(text))
	for _, word := range strings.Fields(text) {
		switch word {
		case "header":
			c.header = true
		case "with", "csv", "format", "true":
		default:
			return fmt.Errorf(`\copy reads and writes CSV, with or without header; %q is not known`, word)
		}
	}
	return nil
}

func (s *shell) commandCopy(ctx context.Context, args string) error {
	c, err := readCopy(args)
	if err != nil {
		return err
	}
	if c.query == "" {
		return s.copyFrom(ctx, c)
	}
	return s.copyTo(ctx, c)
}

// copyTo writes the result of a query to a file, which is whole or not there.
func (s *shell) copyTo(ctx context.Context, c *copying) error {
	if info, err := os.Stat(c.file); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", c.file)
	}
	next := c.file + ".part"
	file, err := os.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(next)
	defer file.Close()
	if err := s.attempt(ctx, c.query, func(ctx context.Context) (func() error, error) {
		out, end := &csv{out: bufio.NewWriter(file), header: c.header}, ending{}
		err := s.session.query(ctx, func(rows pgx.Rows) error {
			if len(rows.FieldDescriptions()) == 0 {
				return errors.New("the statement returns no rows to copy")
			}
			return end.read(rows, out)
		}, c.query)
		return func() error {
			if err := errors.Join(out.end("", 0), file.Close(), os.Rename(next, c.file)); err != nil {
				return err
			}
			s.say("COPY %d", end.rows)
			return nil
		}, err
	}); err != nil {
		return ErrFailed
	}
	return nil
}

// copyFrom reads rows from a file.
func (s *shell) copyFrom(ctx context.Context, c *copying) error {
	t, ok := s.find(c.table)
	if !ok {
		return fmt.Errorf("there is no table %s that the policy knows", c.table)
	}
	file, err := os.Open(c.file)
	if err != nil {
		return err
	}
	defer file.Close()
	source := &csvRows{in: bufio.NewReader(file), line: 1}
	if c.header {
		names, err := source.read()
		if err != nil {
			return fmt.Errorf("%s: the header: %w", c.file, err)
		}
		if c.columns == nil {
			for _, name := range names {
				text, _ := name.(string)
				c.columns = append(c.columns, text)
			}
		}
	}
	if c.columns == nil {
		for _, column := range t.Columns {
			if column.Generated == "" {
				c.columns = append(c.columns, column.Name)
			}
		}
	}
	for _, name := range c.columns {
		column := t.Column(name)
		if column == nil {
			return fmt.Errorf("table %s has no column %q; it has %s", c.table, name, columnNames(t.Table))
		}
		source.integer = append(source.integer, slices.Contains([]string{"smallint", "integer", "bigint"}, column.Type))
	}
	into := pgx.Identifier{t.Schema, t.Name}
	if t.policy.In != nil { // the scope chooses the schema, or refuses the one that was named
		into = into[1:]
		if schema, _ := splitName(c.table); schema != "" {
			into = pgx.Identifier{schema, t.Name}
		}
	}
	err = s.attempt(ctx, `\copy `+c.table, func(ctx context.Context) (func() error, error) {
		n, err := s.session.copyFrom(ctx, into, c.columns, source)
		if source.err != nil {
			err = fmt.Errorf("%s:%d: %w", c.file, source.line, source.err)
		}
		return func() error { s.say("COPY %d", n); return nil }, err
	})
	if err != nil {
		return ErrFailed
	}
	return nil
}

// csvRows are the rows of a CSV file as PostgreSQL reads them: nothing is NULL,
// and "" an empty text.
type csvRows struct {
	in      *bufio.Reader
	line    int
	integer []bool // the columns that hold integers
	values  []any
	err     error
}

var _ pgx.CopyFromSource = (*csvRows)(nil)

// Next reads the next row.
func (r *csvRows) Next() bool {
	r.values, r.err = r.read()
	if r.err == io.EOF {
		r.err = nil
		return false
	}
	if r.err == nil && len(r.values) != len(r.integer) {
		r.err = fmt.Errorf("the row has %d values, for %d columns", len(r.values), len(r.integer))
	}
	for i, isInteger := range r.integer {
		if text, ok := r.value(i); ok && isInteger {
			// Those of another form are the server's to refuse.
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				r.values[i] = n
			}
		}
	}
	return r.err == nil
}

func (r *csvRows) value(i int) (text string, ok bool) {
	if i < len(r.values) {
		text, ok = r.values[i].(string)
	}
	return text, ok
}

// Values returns the row.
func (r *csvRows) Values() ([]any, error) { return r.values, nil }

// Err returns what is wrong with the file.
func (r *csvRows) Err() error { return r.err }

// read returns the values of one row, nil or a string each, or io.EOF.
func (r *csvRows) read() ([]any, error) {
	if _, err := r.in.Peek(1); err != nil {
		return nil, err
	}
	var values []any
	var field strings.Builder
	quoted, inside := false, false
	finish := func() {
		if field.Len() > 0 || quoted {
			values = append(values, field.String())
		} else {
			values = append(values, nil)
		}
		field.Reset()
		quoted = false
	}
	for {
		b, err := r.in.ReadByte()
		switch {
		case err == io.EOF && inside:
			return nil, errors.New("a quote is not closed")
		case err == io.EOF:
			finish()
			return values, nil
		case err != nil:
			return nil, err
		}
		if b == '\n' {
			r.line++
		}
		switch {
		case inside && b == '"':
			if next, err := r.in.Peek(1); err == nil && next[0] == '"' {
				_, _ = r.in.ReadByte()
				field.WriteByte('"')
			} else {
				inside = false
			}
		case inside:
			field.WriteByte(b)
		case b == '"':
			quoted, inside = true, true
		case b == ',':
			finish()
		case b == '\n':
			finish()
			return values, nil
		case b == '\r':
			if next, err := r.in.Peek(1); err == nil && next[0] == '\n' {
				continue
			}
			field.WriteByte(b)
		default:
			field.WriteByte(b)
		}
	}
}
