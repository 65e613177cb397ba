package scoped_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/DATA-DOG/go-sqlmock"

	"github.com/scoped-pgx/scoped"
)

type userKey struct{}

var errNotMember = errors.New("not a member")

// membership allows the sites that the user in a context belongs to, and any
// value of other dimensions, and notes what it is asked.
type membership struct {
	sites map[string][]int64
	asked []string
}

func (m *membership) allow(ctx context.Context, dimension string, value any) error {
	m.asked = append(m.asked, fmt.Sprintf("%s=%v", dimension, value))
	user, _ := ctx.Value(userKey{}).(string)
	if site, ok := value.(int64); dimension != "site" || ok && slices.Contains(m.sites[user], site) {
		return nil
	}
	return errNotMember
}

func TestAllowScope(t *testing.T) {
	m := &membership{sites: map[string][]int64{"ann": {1, 2}, "bob": {2}}}
	var log bytes.Buffer
	logger := slog.New(userHandler{slog.NewTextHandler(&log, nil)})
	b := newConnectedBlog(t, scoped.WithAllowScope(m.allow), scoped.WithLogger(logger))
	ann, bob := context.WithValue(t.Context(), userKey{}, "ann"), context.WithValue(t.Context(), userKey{}, "bob")

	site1 := scoped.With(ann, "site", 1)
	for range 2 {
		wantIDs(site1, t, b, []int64{1}, allPosts)
	}
	wantIDs(scoped.With(site1, "site", 2), t, b, []int64{2}, allPosts)
	wantIDs(scoped.With(ann, "site", scoped.AnyOf(1, 2)), t, b, []int64{1, 2}, allPosts)
	wantIDs(scoped.With(bob, "site", 2), t, b, []int64{2}, allPosts)
	wantIDs(scoped.Disable(bob, "test"), t, b, []int64{1, 2}, allPosts)
	if want := []string{"site=1", "site=2", "site=1", "site=2", "site=2"}; !slices.Equal(m.asked, want) {
		t.Errorf("asked %q, want %q", m.asked, want)
	}
	if text := log.String(); strings.Count(text, `level=INFO msg="a scope is allowed"`) != 4 ||
		!strings.Contains(text, `msg="a scope is allowed" scope.site="[1 2]" user=ann`) || !strings.Contains(text, "scope.site=2 user=bob") {
		t.Errorf("logged %s", text)
	}

	log.Reset()
	for _, refused := range []context.Context{
		scoped.With(bob, "site", 1), scoped.With(bob, "site", scoped.AnyOf(2, 1)), scoped.With(bob, "site", scoped.All),
		scoped.With(scoped.With(bob, "site", 1), "user", 5), scoped.With(t.Context(), "site", 1),
	} {
		for range 2 { // an error is not remembered
			_, err := ids(refused, b, allPosts)
			if e := wantError(t, err, scoped.CodeScope); !errors.Is(err, errNotMember) || !errors.Is(err, scoped.ErrRefused) || e.Dimension != "site" {
				t.Errorf("got %v", err)
			}
		}
		if _, err := b.BeginTx(refused, nil); !errors.Is(err, errNotMember) {
			t.Errorf("BEGIN: got %v", err)
		}
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 15 ||
		!strings.Contains(text, `msg="a scope is not allowed" scope.site=all dimension=site value=all reason="not a member" user=bob`) ||
		!strings.Contains(text, `scope.site="[2 1]" dimension=site value=1 reason="not a member" user=bob`) {
		t.Errorf("logged %s", text)
	}
	m.sites["bob"] = append(m.sites["bob"], 1)
	wantIDs(scoped.With(bob, "site", 1), t, b, []int64{1}, allPosts)
}

// userHandler adds who it was.
type userHandler struct{ slog.Handler }

func (h userHandler) Handle(ctx context.Context, record slog.Record) error {
	if user, ok := ctx.Value(userKey{}).(string); ok {
		record.AddAttrs(slog.String("user", user))
	}
	return h.Handler.Handle(ctx, record)
}

func (h userHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	return userHandler{h.Handler.WithAttrs(attributes)}
}

// A refused scope sends nothing.
func TestAllowScopeSendsNothing(t *testing.T) {
	db, mock := mocked(t, discard(), scoped.WithAllowScope(func(context.Context, string, any) error { return errNotMember }))
	for _, value := range []any{1, "x"} {
		if _, err := db.ExecContext(scoped.With(t.Context(), "site", value), "DELETE FROM post"); err == nil {
			t.Errorf("%v was allowed", value)
		}
	}
	mock.ExpectExec("").WillReturnResult(sqlmock.NewResult(0, 0))
	wantExec(t.Context(), t, db, 0, "DELETE FROM tag")
}
