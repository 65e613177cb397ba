package scoped

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Our parameters of a data source name.
const (
	policyKey  = "scope_policy"  // the policy file
	catalogKey = "scope_catalog" // the catalogue's file, or server
	warmKey    = "scope_warm"    // the file of statements for the cache
)

// fromServer is the catalogKey of whoever wants the server to be asked. A file of
// that name is ./server.
const fromServer = "server"

// reserved is how the names of our own parameters begin. None of them reaches
// the server.
const reserved = "scope_"

// registered is how the names that stdlib.RegisterConnConfig returns begin.
const registered = "registeredConnConfig"

const space = " \t\n\r\v\f"

// splitDSN takes our parameters out of a data source name in either of libpq's
// forms, or behind a name of stdlib.RegisterConnConfig, and leaves every other
// byte as it is.
func splitDSN(dsn string) (base string, p parameters, err error) {
	switch {
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		base, err = p.cutURL(dsn)
	case strings.HasPrefix(dsn, registered):
		base, err = p.cutRegistered(dsn)
	default:
		base, err = p.cutKeywords(dsn)
	}
	if err == nil {
		err = checkLeft(base)
	}
	if err == nil && p.policy == "" {
		err = errors.New("the data source name has no " + policyKey)
	}
	if err != nil {
		return "", parameters{}, configError(err.Error(), "add "+policyKey+"=<path of the policy file>", nil)
	}
	return base, p, nil
}

// configError is the Error of a wrong configuration.
func configError(message, hint string, cause error) *Error {
	return &Error{Code: CodeConfig, Message: message, Hint: hint, Err: cause}
}

// parameters are the ones of ours found in a data source name.
type parameters struct {
	policy  string
	catalog string // a path, fromServer, or empty
	warm    string // a path, or empty
	seen    map[string]bool
}

// take keeps the parameter if it is ours.
func (p *parameters) take(key, value string) (ours bool, err error) {
	switch {
	case len(key) < len(reserved) || !strings.EqualFold(key[:len(reserved)], reserved):
		return false, nil
	case key != policyKey && key != catalogKey && key != warmKey:
		return true, fmt.Errorf("the data source name has an unknown parameter %q", key)
	case p.seen[key]:
		return true, fmt.Errorf("the data source name has %s twice", key)
	}
	if p.seen == nil {
		p.seen = make(map[string]bool)
	}
	p.seen[key] = true
	switch key {
	case policyKey:
		p.policy = value
	case catalogKey:
		if value == "" {
			return true, fmt.Errorf("%s is empty: it is the path of a file, or %s", catalogKey, fromServer)
		}
		p.catalog = value
	case warmKey:
		if value == "" {
			return true, fmt.Errorf("%s is empty: it is the path of a file", warmKey)
		}
		p.warm = value
	}
	return true, nil
}

func (p *parameters) cutURL(dsn string) (string, error) {
	body, fragment := dsn, ""
	if i := strings.IndexByte(dsn, '#'); i >= 0 {
		body, fragment = dsn[:i], dsn[i:]
	}
	head, query, ok := strings.Cut(body, "?")
	if !ok {
		return dsn, nil
	}
	query, err := p.cutQuery(query)
	if err != nil {
		return "", err
	}
	if query != "" {
		head += "?" + query
	}
	return head + fragment, nil
}

func (p *parameters) cutQuery(query string) (string, error) {
	var left []string
	for pair := range strings.SplitSeq(query, "&") {
		k, v, _ := strings.Cut(pair, "=")
		key, keyErr := url.QueryUnescape(k)
		value, valueErr := url.QueryUnescape(v)
		if keyErr != nil {
			// pgx says what is wrong with it.
			left = append(left, pair)
			continue
		}
		ours, err := p.take(key, value)
		if err == nil && ours {
			err = valueErr
		}
		if err != nil {
			return "", err
		}
		if !ours {
			left = append(left, pair)
		}
	}
	return strings.Join(left, "&"), nil
}

func (p *parameters) cutRegistered(dsn string) (string, error) {
	end := len(registered)
	for end < len(dsn) && dsn[end] >= '0' && dsn[end] <= '9' {
		end++
	}
	name, rest := dsn[:end], dsn[end:]
	var left string
	var err error
	switch {
	case rest == "":
	case rest[0] == '?':
		left, err = p.cutQuery(rest[1:])
	case strings.IndexByte(space, rest[0]) >= 0:
		left, err = p.cutKeywords(rest)
	default:
		return p.cutKeywords(dsn)
	}
	if err == nil && strings.Trim(left, space) != "" {
		err = fmt.Errorf("behind %s only %s, %s and %s may stand", name, policyKey, catalogKey, warmKey)
	}
	return name, err
}

// cutKeywords reads `key = value key='quoted value'` by the rules of libpq and
// pgx: spaces around the equals sign, a backslash escapes the next character.
func (p *parameters) cutKeywords(dsn string) (string, error) {
	var left strings.Builder
	for rest := strings.TrimLeft(dsn, space); rest != ""; {
		start := rest
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			return "", errors.New("the data source name is neither a URL nor made of keyword=value")
		}
		value, after, err := keywordValue(strings.TrimLeft(after, space))
		if err != nil {
			return "", err
		}
		rest = strings.TrimLeft(after, space)
		ours, err := p.take(strings.Trim(key, space), value)
		if err != nil {
			return "", err
		}
		if !ours {
			left.WriteString(start[:len(start)-len(rest)])
		}
	}
	return left.String(), nil
}

func keywordValue(s string) (value, rest string, err error) {
	quoted := strings.HasPrefix(s, "'")
	i := 0
	if quoted {
		i = 1
	}
	var b strings.Builder
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\'':
			return b.String(), s[i+1:], nil
		case !quoted && strings.IndexByte(space, c) >= 0:
			return b.String(), s[i:], nil
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		case c == '\\':
		default:
			b.WriteByte(c)
		}
	}
	if quoted {
		return "", "", errors.New("the data source name has a quoted value without an end")
	}
	return b.String(), "", nil
}

// checkLeft has pgx read what is left, because a service file can hold one of
// our parameters too, and where pgx reads a name differently from splitDSN ours
// would reach the server. What pgx itself finds wrong it says on connecting.
func checkLeft(base string) error {
	if strings.HasPrefix(base, registered) {
		return nil
	}
	config, err := pgx.ParseConfig(base)
	if err != nil {
		return nil
	}
	for key := range config.RuntimeParams {
		if ours, _ := new(parameters).take(key, ""); ours {
			return fmt.Errorf("%q cannot be set here", key)
		}
	}
	return nil
}
