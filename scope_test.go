package scoped_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/policy"
)

type (
	siteID   int32
	realm    string
	uuidType [16]byte
	valuer   struct {
		value driver.Value
		err   error
	}
)

func (v valuer) Value() (driver.Value, error) { return v.value, v.err }

// Value gives uuidType a text that is not its own, which must not be used.
func (u uuidType) Value() (driver.Value, error) { return "not a uuid", nil }

func TestScopeFaults(t *testing.T) {
	db, _ := mocked(t, discard())
	nilPointer, one := (*siteID)(nil), 1
	background := t.Context()
	site := func(value any) context.Context { return scoped.With(background, "site", value) }
	for name, ctx := range map[string]context.Context{
		"nil":                          site(nil),
		"nil pointer":                  site(nilPointer),
		"nil Valuer":                   site((*valuer)(nil)),
		"pointer":                      site(&one),
		"bool":                         site(true),
		"float":                        site(1.0),
		"struct":                       site(struct{}{}),
		"bytes":                        site([]byte("1")),
		"slice":                        site([]int{1, 2}),
		"Valuer of nothing":            site(sql.NullInt64{}),
		"Valuer of a float":            site(valuer{value: 1.5}),
		"failing Valuer":               site(valuer{err: errors.New("no")}),
		"uint64 overflow":              site(uint64(math.MaxInt64) + 1),
		"string for bigint":            site("1"),
		"uuid for bigint":              site(uuidType{}),
		"empty AnyOf":                  site(scoped.AnyOf()),
		"zero Set":                     site(scoped.Set{}),
		"AnyOf of nothing":             site(scoped.AnyOf([]int{})),
		"AnyOf with nil":               site(scoped.AnyOf(1, nil)),
		"AnyOf with All":               site(scoped.AnyOf(1, scoped.All)),
		"AnyOf with a fault in it":     site(scoped.AnyOf(1, scoped.AnyOf(true))),
		"AnyOf with a string":          site(scoped.AnyOf(1, "2")),
		"empty dimension":              scoped.With(background, "", 1),
		"unknown dimension":            scoped.With(background, "sites", 1),
		"unknown dimension, outside":   scoped.With(scoped.With(background, "sites", 1), "site", 1),
		"replaced fault":               scoped.With(site(nil), "site", 1),
		"fault outside Disable":        scoped.Disable(site(nil), "test"),
		"no reason":                    scoped.Disable(background, ""),
		"blank reason":                 scoped.Disable(background, " \t"),
		"scope inside a Disable fault": scoped.With(scoped.Disable(background, ""), "site", 1),
		"2^40 for integer":             scoped.With(background, "level", 1<<40),
		"-2^31-1 for integer":          scoped.With(background, "level", math.MinInt32-1),
		"not a uuid":                   scoped.With(background, "owner", "00000000-0000-0000-0000-00000000000g"),
		"uuid with hyphens elsewhere":  scoped.With(background, "owner", "0000000-00000-0000-0000-000000000001"),
		"empty uuid":                   scoped.With(background, "owner", ""),
		"integer for uuid":             scoped.With(background, "owner", 1),
		"integer for text":             scoped.With(background, "realm", 1),
		"uuid for text":                scoped.With(background, "realm", uuidType{}),
		"NUL in text":                  scoped.With(background, "realm", "a\x00b"),
		"invalid UTF-8":                scoped.With(background, "realm", "a\xffb"),
		"space at the end":             scoped.With(background, "realm", "a "),
		"invalid UTF-8 among several":  scoped.With(background, "realm", scoped.AnyOf("a", "a\xffb")),
	} {
		t.Run(name, func(t *testing.T) {
			_, queryErr := db.QueryContext(ctx, "SELECT 1")
			_, execErr := db.ExecContext(ctx, "DELETE FROM site")
			_, prepareErr := db.PrepareContext(ctx, "SELECT 1")
			_, beginErr := db.BeginTx(ctx, nil)
			for _, err := range []error{queryErr, execErr, prepareErr, beginErr} {
				e := wantError(t, err, scoped.CodeScope)
				if !errors.Is(err, scoped.ErrRefused) || e.Hint == "" {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestScopeFaultNames(t *testing.T) {
	db, _ := mocked(t)
	_, err := db.QueryContext(scoped.With(t.Context(), "sites", 1), "SELECT 1")
	e := wantError(t, err, scoped.CodeScope)
	if e.Dimension != "sites" || !strings.Contains(e.Message, `"site", "user"`) {
		t.Errorf("the error does not name the dimensions: %v", err)
	}
	_, err = db.QueryContext(scoped.With(t.Context(), "level", 1<<40), "SELECT 1")
	if e := wantError(t, err, scoped.CodeScope); !strings.Contains(e.Message, "1099511627776 is outside the range of integer") {
		t.Errorf("got %v", err)
	}
}

// What is sent for every form of a value.
func TestScopeValues(t *testing.T) {
	const canonical = "00000000-0000-0000-0000-0000000000ab"
	for _, c := range []struct {
		dimension string
		value     any
		want      driver.Value
	}{
		{"site", 1, int64(1)},
		{"site", siteID(-7), int64(-7)},
		{"site", uint64(math.MaxInt64), int64(math.MaxInt64)},
		{"site", sql.NullInt64{Int64: 5, Valid: true}, int64(5)},
		{"site", valuer{value: int64(6)}, int64(6)},
		{"site", &valuer{value: int64(6)}, int64(6)},
		{"site", scoped.AnyOf(8), int64(8)},
		{"site", scoped.AnyOf(8, siteID(8), uint8(8)), int64(8)},
		{"site", scoped.AnyOf(1, 2, 1), "{1,2}"},
		{"site", scoped.AnyOf(3, scoped.AnyOf(2, 1)), "{3,2,1}"},
		{"site", scoped.AnyOf([]siteID{3, 4}, 5), "{3,4,5}"},
		{"realm", "a", "a"},
		{"realm", "", ""},
		{"realm", realm("é"), "é"},
		{"realm", scoped.AnyOf("a", `b"\`, "NULL"), `{"a","b\"\\","NULL"}`},
		{"owner", uuidType{15: 0xab}, canonical},
		{"owner", [16]byte{15: 0xab}, canonical},
		{"owner", strings.ToUpper(canonical), canonical},
		{"owner", strings.ReplaceAll(canonical, "-", ""), canonical},
		{"owner", scoped.AnyOf(uuidType{15: 0xab}, strings.ToUpper(canonical)), canonical},
		{"owner", scoped.AnyOf([]uuidType{{15: 1}, {15: 2}}),
			`{"00000000-0000-0000-0000-000000000001","00000000-0000-0000-0000-000000000002"}`},
	} {
		t.Run(fmt.Sprintf("%s %T %v", c.dimension, c.value, c.value), func(t *testing.T) {
			db, mock := mocked(t)
			table := map[string]string{"site": "post", "realm": "page", "owner": "device"}[c.dimension]
			mock.ExpectExec("").WithArgs(c.want).WillReturnResult(sqlmock.NewResult(0, 0))
			wantExec(scoped.With(t.Context(), c.dimension, c.value), t, db, 0, "DELETE FROM "+table)
		})
	}
}

// A scope reads its value once, and what the caller does to it later is nothing
// to it.
func TestScopeIsImmutable(t *testing.T) {
	db, mock := mocked(t)
	values := []any{1, 2}
	ctx := scoped.With(t.Context(), "site", scoped.AnyOf(values...))
	values[1] = 3
	slice := []int{1, 2}
	ctx2 := scoped.With(t.Context(), "site", scoped.AnyOf(slice))
	slice[1] = 3
	for _, ctx := range []context.Context{ctx, ctx2} {
		mock.ExpectExec("").WithArgs("{1,2}").WillReturnResult(sqlmock.NewResult(0, 0))
		wantExec(ctx, t, db, 0, "DELETE FROM post")
	}
}

// One context may serve several policies and many goroutines.
func TestScopeUnderTwoPolicies(t *testing.T) {
	ctx := scoped.With(scoped.With(t.Context(), "site", 1), "user", 2)
	var wg sync.WaitGroup
	for _, dimensions := range []string{
		"{site: {type: bigint}, user: {type: bigint}}", "{user: {type: bigint}, site: {type: bigint}}",
	} {
		p, err := policy.Parse("policy.yaml", []byte("version: 1\ndimensions: "+dimensions+
			"\ntables: {post: {site: site_id}, account: {user: id}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		db, mock := mockedUnder(t, p)
		for range 100 {
			mock.ExpectExec("").WithArgs(1).WillReturnResult(sqlmock.NewResult(0, 0))
			mock.ExpectExec("").WithArgs(2).WillReturnResult(sqlmock.NewResult(0, 0))
		}
		wg.Go(func() {
			for range 100 {
				wantExec(ctx, t, db, 0, "DELETE FROM post")
				wantExec(ctx, t, db, 0, "DELETE FROM account")
			}
		})
	}
	wg.Wait()
}

func TestDisableIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	db, mock := mocked(t, scoped.WithLogger(logger))
	for range 4 {
		mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 0))
	}
	disabled := scoped.Disable(t.Context(), "nightly export")
	wantExec(disabled, t, db, 0, "DELETE FROM post")
	wantExec(disabled, t, db, 0, "DELETE FROM comment")
	wantExec(context.WithValue(disabled, siteID(1), 1), t, db, 0, "DELETE FROM comment")
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `level=INFO`) ||
		!strings.Contains(got, `scope.disabled="nightly export"`) || !strings.Contains(got, `"DELETE FROM post"`) {
		t.Errorf("logged %q", got)
	}
	log.Reset()
	wantExec(scoped.Disable(disabled, "another"), t, db, 0, strings.Repeat("é", 3000))
	if got := log.String(); !strings.Contains(got, "scope.disabled=another") || len(got) > 2500 {
		t.Errorf("logged %q", got)
	}
	// Of a transaction, the first statement after BEGIN.
	log.Reset()
	mock.ExpectBegin()
	mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 0))
	mock.ExpectRollback()
	tx, err := db.BeginTx(scoped.Disable(t.Context(), "in a transaction"), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantExec(t.Context(), t, tx, 0, "DELETE FROM site")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `"DELETE FROM site"`) {
		t.Errorf("logged %q", got)
	}
	log.Reset()
	mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 0))
	wantExec(scoped.With(disabled, "site", 1), t, db, 0, "DELETE FROM post")
	if log.Len() > 0 {
		t.Errorf("an enabled scope logged %q", log.String())
	}
}
