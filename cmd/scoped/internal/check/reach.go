package check

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// A reach knows which scoped tables a view or function reads or writes, through
// whatever others. What depends on what is known to PostgreSQL for views and for
// functions whose body it keeps parsed; the bodies of others are searched for
// names.
type reach struct {
	checker *checker
	edges   map[node][]node
	opaque  map[uint32]string // functions whose text does not tell what they reach, and why
	known   map[node][]string // what tables has found
}

// A node is a relation or a function.
type node struct {
	relation, function uint32
}

func newReach(c *checker) *reach {
	r := &reach{checker: c, edges: map[node][]node{}, opaque: map[uint32]string{}, known: map[node][]string{}}
	for _, u := range c.uses {
		to := node{u.Relation, u.Function}
		switch u.Kind {
		case "view":
			r.edges[node{relation: u.Object}] = append(r.edges[node{relation: u.Object}], to)
		case "function":
			r.edges[node{function: u.Object}] = append(r.edges[node{function: u.Object}], to)
		}
	}
	names := newNames(c)
	for _, f := range c.functions {
		found, dynamic := names.in(f.Body)
		from := node{function: f.OID}
		r.edges[from] = append(r.edges[from], found...)
		switch {
		case f.Extension:
		case f.Language == "plpgsql" && dynamic:
			r.opaque[f.OID] = "it builds SQL by EXECUTE"
		case f.Language != "plpgsql" && f.Language != "sql":
			r.opaque[f.OID] = "it is written in " + f.Language
		}
	}
	return r
}

// tables returns the names of the scoped tables that a view or function reaches,
// sorted. Those of which a schema holds one scope's rows only are none.
func (r *reach) tables(from node) []string {
	if found, ok := r.known[from]; ok {
		return found
	}
	found := map[string]bool{}
	r.walk(from, func(n node) bool {
		t, ok := r.checker.isScoped(n.relation)
		if ok = ok && t.isRestricted(); ok && n != from {
			found[t.String()] = true
		}
		return n == from || !ok
	})
	r.known[from] = slices.Sorted(maps.Keys(found))
	return r.known[from]
}

// walk calls visit with from and all that it reaches, once each. It goes no
// further where visit returns false.
func (r *reach) walk(from node, visit func(node) bool) {
	seen := map[node]bool{from: true}
	for todo := []node{from}; len(todo) > 0; {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !visit(n) {
			continue
		}
		for _, next := range r.edges[n] {
			if !seen[next] {
				seen[next] = true
				todo = append(todo, next)
			}
		}
	}
}

// names finds relations and functions by their names in the bodies of functions.
type names struct {
	relations map[string][]*relation
	functions map[string][]*function
}

func newNames(c *checker) *names {
	n := &names{relations: map[string][]*relation{}, functions: map[string][]*function{}}
	for _, r := range c.relations {
		n.relations[r.Name] = append(n.relations[r.Name], r)
	}
	for _, f := range c.functions {
		n.functions[f.Name] = append(n.functions[f.Name], f)
	}
	return n
}

// before are the words behind which the name of a table stands.
var before = []string{"from", "join", "into", "update", "only", "using", "table", "truncate", "copy", "merge", ","}

// in returns what a body names, and whether it builds SQL. Behind the words of
// before a name is that of a table, before a parenthesis that of a function. Of
// names without a schema all that bear them are meant.
func (n *names) in(body string) (found []node, dynamic bool) {
	tokens := words(body)
	at := func(i int) string {
		if i < 0 || i >= len(tokens) {
			return ""
		}
		return tokens[i]
	}
	for i, token := range tokens {
		if token == "execute" && at(i+1) != "function" && at(i+1) != "procedure" {
			dynamic = true
		}
		if at(i+1) == "." {
			continue
		}
		schema, first := "", i
		if at(i-1) == "." {
			schema, first = name(at(i-2)), i-2
		}
		if slices.Contains(before, at(first-1)) {
			for _, r := range n.relations[name(token)] {
				if schema == "" || schema == r.Schema {
					found = append(found, node{relation: r.OID})
				}
			}
		}
		if at(i+1) == "(" {
			for _, f := range n.functions[name(token)] {
				if schema == "" || schema == f.Schema {
					found = append(found, node{function: f.OID})
				}
			}
		}
	}
	return found, dynamic
}

var word = regexp.MustCompile(`"(?:[^"]|"")+"|[\pL_][\pL\pN_$]*|\S`)

// words returns the tokens of a body without its comments, those of its string
// constants among them, which may be SQL that it executes. What is not quoted is
// in lower case. A text that is no SQL, such as Python, is divided as well as can
// be.
func words(body string) (all []string) {
	tokens, err := pgparse.Scan(body)
	if err != nil {
		for _, w := range word.FindAllString(body, -1) {
			all = append(all, folded(w))
		}
		return all
	}
	for _, t := range tokens {
		text := body[t.Start:t.End]
		switch t.Token {
		case pgparse.Token_SQL_COMMENT, pgparse.Token_C_COMMENT:
		case pgparse.Token_SCONST:
			all = append(all, "'")
			if inside := strings.Trim(text, "'$"); len(inside) < len(text) {
				all = append(all, words(inside)...)
			}
			all = append(all, "'")
		default:
			all = append(all, folded(text))
		}
	}
	return all
}

func folded(word string) string {
	if strings.HasPrefix(word, `"`) {
		return word
	}
	return strings.ToLower(word)
}

// name returns the name that a token spells.
func name(token string) string {
	if quoted, ok := strings.CutPrefix(token, `"`); ok {
		return strings.ReplaceAll(strings.TrimSuffix(quoted, `"`), `""`, `"`)
	}
	return token
}

// why returns why it cannot be seen what a function, or another that it calls,
// reaches, or nothing.
func (r *reach) why(f *function) (why string) {
	r.walk(node{function: f.OID}, func(n node) bool {
		if reason, ok := r.opaque[n.function]; ok && why == "" {
			if why = reason; n.function != f.OID {
				why = "it calls " + r.checker.function[n.function].signature() + ": " + reason
			}
		}
		return n.function != 0
	})
	return why
}
