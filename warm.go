package scoped

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// WithWarmFile has the cache of rewrites hold the statements of a file before the
// first of them runs, and again after each SetPolicy. A line of the file is a
// statement with the shapes of scopes that it runs in, as "scoped rewrite --warm"
// writes it:
//
//	{"sql": "SELECT title FROM post WHERE id = $1", "scopes": [{"site": "one"}]}
//
// A dimension has "one" value, "many" values, "many, writes one" for AnyOf with
// WriteTo, or "all". The file holds no values. NewConnector takes some 50 µs for
// each line. A file that cannot be read, or that names a dimension which the policy
// lacks, is an Error of CodeConfig on connecting. A statement that is refused is
// remembered as that.
func WithWarmFile(path string) Option {
	return func(e *engine) { e.warmFile = path }
}

// A warmStatement is a line of such a file.
type warmStatement struct {
	SQL    string         `json:"sql"`
	Scopes []warmPresence `json:"scopes"`
}

// A warmPresence says of each dimension how it is present in a scope.
type warmPresence map[string]string

var presenceNames = map[string]rewrite.Presence{
	"one": rewrite.One, "many": rewrite.Many, "many, writes one": rewrite.WriteOne, "all": rewrite.All,
}

// shape returns the shape under a policy, or the name of a dimension that it lacks.
func (w warmPresence) shape(p *policy.Policy) (shape rewrite.Shape, missing string) {
	for name, presence := range w {
		d := p.Dimension(name)
		if d == nil {
			return 0, name
		}
		shape = shape.With(d, presenceNames[presence])
	}
	return shape, ""
}

// readWarmFile reads a file whose dimensions are those of a policy.
func readWarmFile(path string, p *policy.Policy) ([]warmStatement, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, warmError(path, err.Error(), err)
	}
	defer file.Close()
	var statements []warmStatement
	reader := bufio.NewReader(file)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, warmError(path, err.Error(), err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			s, err := readWarmLine(line, p)
			if err != nil {
				return nil, warmError(path, fmt.Sprintf("line %d: %v", number, err), err)
			}
			statements = append(statements, s)
		}
		if err == io.EOF {
			return statements, nil
		}
	}
}

func readWarmLine(line []byte, p *policy.Policy) (warmStatement, error) {
	var s warmStatement
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return s, errors.New("there is more than one value")
	}
	if s.SQL == "" || len(s.Scopes) == 0 {
		return s, errors.New(`it lacks "sql" or "scopes"`)
	}
	for _, scope := range s.Scopes {
		for name, presence := range scope {
			if _, ok := presenceNames[presence]; !ok {
				return s, fmt.Errorf("%s is %q instead of one, many, all or \"many, writes one\"", name, presence)
			}
		}
		if _, missing := scope.shape(p); missing != "" {
			return s, fmt.Errorf("the policy has no dimension %q", missing)
		}
	}
	return s, nil
}

func warmError(path, message string, cause error) *Error {
	return configError("the file of statements "+path+" cannot be used: "+message, "make it with scoped rewrite --warm", cause)
}

// warm fills the cache. A scope with a dimension that only the policy before had
// is left out.
func (r *rules) warm(statements []warmStatement) {
	if r.cache.entries == nil {
		return
	}
	for _, s := range statements {
		text, _ := splitComment(s.SQL)
		for _, scope := range s.Scopes {
			if shape, missing := scope.shape(r.policy); missing == "" && len(text) <= r.cache.longest {
				r.cache.shared(text, shape)
			}
		}
	}
}
