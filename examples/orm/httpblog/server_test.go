package httpblog_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/examples/orm/blog"
	"github.com/scoped-pgx/scoped/examples/orm/httpblog"
	"github.com/scoped-pgx/scoped/examples/orm/sqlblog"
)

func TestServer(t *testing.T) {
	db, err := sqlblog.Open(blog.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	handler := httpblog.Handler(sqlblog.Store{DB: db})
	sites := httpblog.Scope(map[string]int64{"bread.example": 1, "bikes.example": 2}, handler)

	comment := url.Values{"body": {"Nice"}}.Encode()
	for _, c := range []struct {
		name    string
		handler http.Handler
		method  string
		url     string
		body    string
		status  int
		want    string
	}{
		{"site 1", sites, "GET", "http://bread.example/posts", "", 200, "Rye\nSourdough\n"},
		{"site 2, with a port", sites, "GET", "http://bikes.example:8080/posts", "", 200, "Gears\n"},
		{"an unknown host", sites, "GET", "http://cars.example/posts", "", 404, "404 page not found\n"},
		{"a comment on a post of the site", sites, "POST", "http://bikes.example/posts/3/comments", comment, 201, ""},
		{"a comment on a post of another site", sites, "POST", "http://bread.example/posts/3/comments", comment, 404, "Not Found\n"},
		{"the middleware is forgotten", handler, "GET", "http://bread.example/posts", "", 500, "Internal Server Error\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.url, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			c.handler.ServeHTTP(w, r)
			if w.Code != c.status || w.Body.String() != c.want {
				t.Errorf("got %d %q, want %d %q", w.Code, w.Body, c.status, c.want)
			}
		})
	}
}
