package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// byHand runs the superuser's statement in the reference database, over plain
// pgx.
func byHand(ctx context.Context, reference *pgx.Conn, sql string) (outcome, error) {
	if sql == "" {
		return outcome{}, nil
	}
	rows, err := reference.Query(ctx, sql)
	if err != nil {
		return outcome{}, err
	}
	defer rows.Close()
	var o outcome
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return outcome{}, err
		}
		o.rows = append(o.rows, texts(values))
	}
	o.changed = rows.CommandTag().RowsAffected()
	return o, rows.Err()
}

// tables returns a digest of every table's rows.
func tables(ctx context.Context, conn *pgx.Conn) (map[string]string, error) {
	digests := map[string]string{}
	for _, table := range []string{"country", "site", "account", "post", "comment", "bookmark"} {
		var digest string
		err := conn.QueryRow(ctx, `SELECT count(*) || ' rows, ' || sum(hashtextextended(t::text, 0)) FROM `+table+` AS t`).Scan(&digest)
		if err != nil {
			return nil, err
		}
		digests[table] = digest
	}
	return digests, nil
}

// differences compares the outcome of a scene with that by hand, and the tables
// of the program's database with those of the reference. Both databases began
// as copies of one, so after each scene they must be equal again.
func (d *demo) differences(ctx context.Context, s scene, got outcome) ([]string, error) {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	if got.String() != s.want {
		report("expected %s, got %s", s.want, got)
	}
	hand, err := byHand(ctx, d.reference, s.byHand)
	if err != nil {
		return nil, fmt.Errorf("by hand: %w", err)
	}
	if !slices.EqualFunc(got.rows, hand.rows, slices.Equal) {
		report("the rows are not those of the superuser's query")
	}
	if got.exec && got.err == nil && got.changed != hand.changed {
		report("%d rows changed, by hand %d", got.changed, hand.changed)
	}

	ours, err := tables(ctx, d.admin)
	if err != nil {
		return nil, err
	}
	theirs, err := tables(ctx, d.reference)
	if err != nil {
		return nil, err
	}
	for table, digest := range theirs {
		if ours[table] != digest {
			report("table %s is not as it is by hand", table)
		}
	}
	slices.Sort(problems)
	return problems, nil
}

// A statement is what the server says it executed last for the program.
type statement struct {
	text string
	at   time.Time
}

// last asks the server for the program's last statement.
func (d *demo) last(ctx context.Context) (statement, error) {
	var s statement
	err := d.admin.QueryRow(ctx, `SELECT coalesce(max(query), ''), coalesce(max(query_start), 'epoch')
		FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&s.text, &s.at)
	return s, err
}

// misprinted compares the text that was shown as sent, none for a refused
// statement, with what the server saw before and after.
func misprinted(shown string, before, after statement) string {
	// pgx asks after a pause whether its connection still lives.
	arrived := after != before && after.text != "-- ping"
	switch {
	case shown == "" && arrived:
		return "a refused statement was sent: " + after.text
	case shown != "" && !arrived:
		return "the statement was not sent"
	// The server keeps the first 1023 bytes.
	case shown != "" && (after.text == "" || after.text != shown[:min(len(shown), 1023)]):
		return "the server saw another text than was shown: " + strings.Join(strings.Fields(after.text), " ")
	}
	return ""
}
