package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/scoped-pgx/scoped/internal/pgtest"
)

// A browser is a user's.
type browser struct {
	*testing.T
	client *http.Client
	url    string
}

// open opens a browser, and logs in where there is a name.
func open(t *testing.T, server *httptest.Server, name string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t, &http.Client{Jar: jar}, server.URL}
	if name != "" {
		b.post("/login", "name="+name+"&password="+name, 200, "")
	}
	return b
}

func (b *browser) get(path string, status int, want string) {
	b.Helper()
	response, err := b.client.Get(b.url + path)
	b.see("GET "+path, response, err, status, want)
}

func (b *browser) post(path, form string, status int, want string) {
	b.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		b.Fatal(err)
	}
	response, err := b.client.PostForm(b.url+path, values)
	b.see("POST "+path+" "+form, response, err, status, want)
}

func (b *browser) see(what string, response *http.Response, err error, status int, want string) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || string(body) != want {
		b.Errorf("%s: got %d %q, %v, want %d %q", what, response.StatusCode, body, err, status, want)
	}
}

// A record is what is logged, without the times.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(line []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(line)
}

var times = regexp.MustCompile(`time=\S+ `)

// take returns what was logged since it was last called.
func (r *record) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer r.text.Reset()
	return times.ReplaceAllString(r.text.String(), "")
}

// start serves the demo's schools.
func start(t *testing.T) (*httptest.Server, *record) {
	t.Helper()
	log := new(record)
	iterations = 1000
	s, err := newServer(t.Context(), pgtest.DSN(t, schema), newLogger(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.owner.Close)
	if err := s.addDemo(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	log.take()
	return server, log
}

// Ann belongs to two schools, switches between them, and is refused the third.
func TestMemberSwitches(t *testing.T) {
	server, log := start(t)
	ann := open(t, server, "ann")
	ann.get("/pupils", 409, "choose a school first\n")
	ann.get("/schools", 200, "north: North School\nsouth: South School\n")
	ann.post("/school", "school=north", 200, "North School\n")
	ann.post("/pupils", "name=Nils&class=1a", 200, "2\n")
	ann.post("/pupils/2/marks", "subject=music&mark=80", 200, "")
	ann.post("/pupils/2/marks", "subject=maths&mark=60", 200, "")
	ann.get("/pupils", 200, "2 Nils, 1a: 70\n1 Nora, 1a: no marks\n")

	ann.post("/school", "school=south", 200, "South School\n")
	ann.get("/pupils", 200, "1 Sven, 1a: no marks\n")
	ann.post("/pupils/2/marks", "subject=music&mark=90", 400, "mark_pupil_id_fkey\n")

	log.take()
	ann.post("/school", "school=harbour", 403, "not a member of the school\n")
	want := `level=WARN msg="a scope is not allowed" scope.school=harbour dimension=school value=harbour reason="not a member of the school" user=ann` + "\n"
	if got := log.take(); got != want {
		t.Errorf("logged\n%s\nwant\n%s", got, want)
	}
	ann.get("/pupils", 200, "1 Sven, 1a: no marks\n")
}

// What an administrator did is found by the school that it was done in.
func TestAdministrator(t *testing.T) {
	server, log := start(t)
	root := open(t, server, "root")
	root.get("/schools", 200, "harbour: Harbour School\nnorth: North School\nsouth: South School\n")
	root.post("/school", "school=harbour", 200, "Harbour School\n")
	root.post("/pupils", "name=Hugo&class=2b", 200, "2\n")
	root.post("/school", "school=north", 200, "North School\n")
	root.post("/pupils/1/marks", "subject=music&mark=85", 200, "")
	root.post("/school", "school=nowhere", 404, "there is no such school\n")
	var got []string
	for line := range strings.Lines(log.take()) {
		if !strings.Contains(line, "a scope is allowed") {
			got = append(got, line)
		}
	}
	want := `level=INFO msg="a school is chosen" scope.school=harbour user=root
level=INFO msg="a pupil is enrolled" scope.school=harbour pupil=2 user=root
level=INFO msg="a school is chosen" scope.school=north user=root
level=INFO msg="a mark is given" scope.school=north pupil=1 subject=music user=root
`
	if strings.Join(got, "") != want {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(got, ""), want)
	}
}

// A school is there as soon as it has signed up, with a schema of its own, or not
// at all.
func TestSignUp(t *testing.T) {
	server, _ := start(t)
	stranger := open(t, server, "")
	stranger.get("/pupils", 401, "log in first\n")
	stranger.post("/login", "name=eve&password=eve", 401, "the name or the password is wrong\n")
	stranger.post("/signup", "name=eve&password=eve&school=island&title=Island+School", 201, "island\n")

	eve := open(t, server, "eve")
	eve.post("/school", "school=island", 200, "Island School\n")
	eve.post("/pupils", "name=Ida&class=1a", 200, "1\n")
	eve.get("/pupils", 200, "1 Ida, 1a: no marks\n")
	eve.post("/school", "school=north", 403, "not a member of the school\n")

	stranger.post("/signup", "name=eve&password=guessed&school=second&title=Second", 401, "the name or the password is wrong\n")
	stranger.post("/signup", "name=mel&password=mel&school=island&title=Island+School", 400, "school_pkey\n")
	stranger.post("/signup", "name=mel&password=mel&school=_template&title=Template", 400, "the schema school__template is the template, which belongs to no value\n")
	stranger.post("/login", "name=mel&password=mel", 401, "the name or the password is wrong\n")

	const hostile = `x"; DROP SCHEMA public --`
	stranger.post("/signup", "name=eve&password=eve&title=Quoted&school="+url.QueryEscape(hostile), 201, hostile+"\n")
	eve.post("/school", "school="+url.QueryEscape(hostile), 200, "Quoted\n")
	eve.get("/pupils", 200, "")
}
