package scoped_test

import (
	"database/sql"
	"testing"

	"github.com/scoped-pgx/scoped"
)

func TestConnectChecksTheSession(t *testing.T) {
	for setting, accepted := range map[string]bool{
		"standard_conforming_strings=off": false,
		"standard_conforming_strings=on":  true,
		"client_encoding=LATIN1":          false,
		"client_encoding=SJIS":            false,
		"client_encoding=UTF8":            true,
		"client_encoding=SQL_ASCII":       true,
	} {
		t.Run(setting, func(t *testing.T) {
			err := newBlog(t, setting).PingContext(t.Context())
			if accepted && err != nil {
				t.Error(err)
			}
			if !accepted {
				if e := wantError(t, err, scoped.CodeSession); e.Hint == "" {
					t.Error("there is no hint")
				}
			}
		})
	}
}

// A session that was made untrustworthy with scopes disabled runs nothing under
// a scope, and is not used again.
func TestSessionIsCheckedBeforeEachStatement(t *testing.T) {
	for _, set := range []string{"SET standard_conforming_strings = off", "SET client_encoding = 'SJIS'"} {
		b := newConnectedBlog(t, discard())
		b.SetMaxOpenConns(1)
		site1 := scoped.With(t.Context(), "site", 1)
		conn, err := b.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := prepared{prepare(site1, t, conn, allPosts)}
		before := backend(t, conn)
		wantExec(scoped.Disable(t.Context(), "test"), t, conn, 0, set)
		_, err = ids(site1, conn, allPosts)
		wantError(t, err, scoped.CodeSession)
		_, err = ids(site1, s, "prepared")
		wantError(t, err, scoped.CodeSession)
		_, err = conn.BeginTx(site1, nil)
		wantError(t, err, scoped.CodeSession)
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}

		wantIDs(site1, t, b, []int64{1}, allPosts)
		conn, err = b.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if after := backend(t, conn); after == before {
			t.Errorf("after %s the connection was used again", set)
		}
	}
}

func backend(t *testing.T, conn *sql.Conn) (pid int64) {
	t.Helper()
	err := conn.QueryRowContext(scoped.Disable(t.Context(), "test"), "SELECT pg_backend_pid()").Scan(&pid)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
