// Package httpblog serves the blog over net/http. A middleware sets the scope
// from the request; the handlers behind it know nothing of sites.
package httpblog

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/scoped-pgx/scoped"
	"github.com/scoped-pgx/scoped/examples/orm/blog"
)

// Scope gives each request the scope of the site that its host names. A host is
// what the client says it is, so only those of the map count. Where the site
// comes from a session or a token, verify that first and set the scope then.
func Scope(sites map[string]int64, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host // without a port
		}
		site, ok := sites[host]
		if !ok {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(scoped.With(r.Context(), "site", site)))
	})
}

// Handler serves the posts of a store.
func Handler(s blog.Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /posts", func(w http.ResponseWriter, r *http.Request) {
		titles, err := s.Titles(r.Context())
		if err != nil {
			fail(w, err)
			return
		}
		for _, title := range titles {
			fmt.Fprintln(w, title)
		}
	})
	mux.HandleFunc("POST /posts/{id}/comments", func(w http.ResponseWriter, r *http.Request) {
		post, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if err := s.AddComment(r.Context(), post, r.FormValue("body")); err != nil {
			fail(w, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	return mux
}

// fail answers a violation as if what it referred to were not there, which for
// this site is the truth. A missing scope is a fault of the program.
func fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	if errors.Is(err, scoped.ErrViolation) {
		status = http.StatusNotFound
	}
	http.Error(w, http.StatusText(status), status)
}
