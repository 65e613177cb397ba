package scoped_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/scoped-pgx/scoped"
)

func ExampleLogHandler() {
	withoutTime := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	logger := slog.New(scoped.LogHandler(slog.NewTextHandler(os.Stdout, withoutTime)))

	ctx := scoped.With(context.Background(), "site", 42)
	logger.InfoContext(ctx, "a post is published", "post", 7)
	logger.InfoContext(scoped.With(ctx, "user", scoped.AnyOf(1, 2)), "accounts are merged")
	logger.InfoContext(scoped.Disable(ctx, "ticket 4711"), "a post is moved", "post", 7)
	logger.InfoContext(context.Background(), "the server starts")

	// Output:
	// level=INFO msg="a post is published" scope.site=42 post=7
	// level=INFO msg="accounts are merged" scope.site=42 scope.user="[1 2]"
	// level=INFO msg="a post is moved" scope.disabled="ticket 4711" post=7
	// level=INFO msg="the server starts"
}

// logging returns a handler, and a function that returns what it has written since
// the last call, from the level on.
func logging() (h slog.Handler, written func() string) {
	var log bytes.Buffer
	return slog.NewTextHandler(&log, nil), func() string {
		defer log.Reset()
		_, text, _ := strings.Cut(log.String(), "level=")
		return strings.TrimSuffix(text, "\n")
	}
}

func TestLoggedScope(t *testing.T) {
	h, written := logging()
	logger := slog.New(scoped.LogHandler(h))
	site1 := scoped.With(t.Context(), "site", 1)
	twenty := slices.Repeat([]int{7}, 20)
	for _, c := range []struct {
		ctx  context.Context
		want string
	}{
		{scoped.With(site1, "site", 2), " scope.site=2"},
		{scoped.With(scoped.With(site1, "user", "x y"), "site", scoped.All), ` scope.user="x y" scope.site=all`},
		{scoped.With(scoped.Disable(site1, "export"), "user", 3), " scope.site=1 scope.user=3"},
		{scoped.With(t.Context(), "id", [16]byte{15: 1}), " scope.id=00000000-0000-0000-0000-000000000001"},
		{scoped.With(t.Context(), "site", scoped.AnyOf(twenty)), ` scope.site="[` + strings.Repeat("7 ", 19) + `7]"`},
		{scoped.With(t.Context(), "site", scoped.AnyOf(twenty, 8, 9)), ` scope.site="[` + strings.Repeat("7 ", 20) + `and 2 more]"`},
		{scoped.With(site1, "user", nil), ` scope.fault="scope on dimension \"user\": the value is nil"`},
		{scoped.Disable(site1, ""), ` scope.fault="Disable needs a reason"`},
	} {
		logger.InfoContext(c.ctx, "x")
		if got := written(); got != "INFO msg=x"+c.want {
			t.Errorf("logged %s, want %s", got, c.want)
		}
	}
}

// The scope stands in one place of a record, whatever the logger was made with.
func TestLogHandlerGroups(t *testing.T) {
	h, written := logging()
	ctx := scoped.With(t.Context(), "site", 1)
	logger := slog.New(scoped.LogHandler(h)).With("a", 1)
	inGroup := logger.WithGroup("g").With("b", 2)
	other := inGroup.WithGroup("h") // does not change inGroup
	inGroup.With("c", 3).InfoContext(ctx, "x", "d", 4)
	if got, want := written(), "INFO msg=x a=1 scope.site=1 g.b=2 g.c=3 g.d=4"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	other.With("c", 3).Info("x")
	if got, want := written(), "INFO msg=x a=1 g.b=2 g.h.c=3"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	logger.DebugContext(ctx, "x")
	if got := written(); got != "" {
		t.Errorf("logged %s below the level", got)
	}
}

// What the driver logs has the scope once, also that of a transaction.
func TestScopeIsLoggedOnce(t *testing.T) {
	const want = `INFO msg="scopes are disabled" scope.disabled=test statement="DELETE FROM post"`
	for name, around := range map[string]func(slog.Handler) slog.Handler{
		"the program's handler": func(h slog.Handler) slog.Handler { return h },
		"ours":                  scoped.LogHandler,
		"ours, wrapped":         func(h slog.Handler) slog.Handler { return userHandler{scoped.LogHandler(scoped.LogHandler(h))} },
	} {
		h, written := logging()
		db, mock := mocked(t, scoped.WithLogger(slog.New(around(h))))
		mock.ExpectBegin()
		mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 0))
		mock.ExpectRollback()
		tx, err := db.BeginTx(scoped.Disable(t.Context(), "test"), nil)
		if err != nil {
			t.Fatal(err)
		}
		wantExec(t.Context(), t, tx, 0, "DELETE FROM post")
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got := written(); got != want {
			t.Errorf("%s: logged %s, want %s", name, got, want)
		}
	}
}
