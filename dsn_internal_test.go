package scoped

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSplitDSN(t *testing.T) {
	for _, c := range []struct{ dsn, base, policy string }{
		{"postgres://h/db?scope_policy=p.yaml", "postgres://h/db", "p.yaml"},
		{"postgresql://u:p%23@h:1/db?sslmode=disable&scope_policy=a%20b%26&x=1", "postgresql://u:p%23@h:1/db?sslmode=disable&x=1", "a b&"},
		{"postgres:///?scope_policy=/p&host=/tmp", "postgres:///?host=/tmp", "/p"},
		{"postgres://h/db?a=%zz&scope_policy=p#f", "postgres://h/db?a=%zz#f", "p"},
		{"postgres://h/db?scope%5Fpolicy=p", "postgres://h/db", "p"},

		{"host=h scope_policy=p.yaml dbname=d", "host=h dbname=d", "p.yaml"},
		{"scope_policy=p.yaml", "", "p.yaml"},
		{"  scope_policy = 'a b\\'c\\\\' host = 'x  y'  ", "host = 'x  y'  ", `a b'c\`},
		{`host=h scope_policy=a\ b\\c`, "host=h ", `a b\c`},
		{"host='scope_policy=no' scope_policy=p", "host='scope_policy=no' ", "p"},
		{"password='a'scope_policy='b'", "password='a'", "b"},
		{"host=a scope_policy=p\nport=1", "host=a port=1", "p"},
		{"host= scope_policy=p", "", ""}, // libpq: host is "scope_policy=p"
		{"host='h'scope_policy=p dbname=d", "host='h'dbname=d", "p"},

		{"registeredConnConfig0?scope_policy=p%2Fq", "registeredConnConfig0", "p/q"},
		{"registeredConnConfig12 scope_policy='p q'", "registeredConnConfig12", "p q"},
	} {
		base, p, err := splitDSN(c.dsn)
		policy := p.policy
		if c.policy == "" {
			if err == nil {
				t.Errorf("%q: no error, but %q and %q", c.dsn, base, policy)
			}
			continue
		}
		if err != nil || base != c.base || policy != c.policy {
			t.Errorf("%q: got %q, %q, %v, want %q, %q", c.dsn, base, policy, err, c.base, c.policy)
		}
	}
}

func TestSplitDSNCatalog(t *testing.T) {
	for dsn, want := range map[string]string{
		"postgres://h/db?scope_policy=p&scope_catalog=a%20b.json":   "a b.json",
		"scope_catalog='c' host=h scope_policy=p":                   "c",
		"registeredConnConfig0?scope_catalog=server&scope_policy=p": "server",
		"scope_policy=p": "",
	} {
		base, p, err := splitDSN(dsn)
		if err != nil || p.catalog != want || p.policy != "p" || strings.Contains(base, "scope") {
			t.Errorf("%q: got %q, %v, %v, want %q", dsn, base, p, err, want)
		}
	}
}

func TestSplitDSNFaults(t *testing.T) {
	for dsn, want := range map[string]string{
		"":                                               "no scope_policy",
		"postgres://h/db":                                "no scope_policy",
		"postgres://h/db?scope_policy=":                  "no scope_policy",
		"host=h dbname=d":                                "no scope_policy",
		"registeredConnConfig0":                          "no scope_policy",
		"postgres://h/db?scope_polcy=p":                  `"scope_polcy"`,
		"postgres://h/db?scope_=p":                       `"scope_"`,
		"postgres://h/db?Scope_Policy=p":                 `"Scope_Policy"`,
		"host=h scope_cache=1 scope_policy=p":            `"scope_cache"`,
		"scope_policy=p scope_policy=q":                  "twice",
		"postgres://h/?scope_policy=p&scope_policy=p":    "twice",
		"postgres://h/?scope_policy=%zz":                 "invalid URL escape",
		"p.yaml":                                         "neither a URL nor",
		"host=h scope_policy=p scope_catalog=":           "scope_catalog is empty",
		"scope_catalog=a scope_policy=p scope_catalog=a": "scope_catalog twice",
		"host=h scope_catalog=server":                    "no scope_policy",
		"host=h scope_policy='p":                         "without an end",
		"registeredConnConfig0?scope_policy=p&x=1":       "only scope_policy, scope_catalog and scope_warm may stand",
		"registeredConnConfig0 scope_policy=p sslmode=x": "only scope_policy, scope_catalog and scope_warm may stand",
	} {
		_, _, err := splitDSN(dsn)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want it to say %q", dsn, err, want)
			continue
		}
		if e, ok := err.(*Error); !ok || e.Code != CodeConfig {
			t.Errorf("%q: got %T, want an *Error of CodeConfig", dsn, err)
		}
	}
}

// A password is in no error of ours.
func TestSplitDSNKeepsSecrets(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u:sesame@h/db", "host=h password=sesame", "password=sesame scope_policy='p",
		"postgres://u:sesame@h/db?scope_x=1", "password='sesame",
	} {
		if _, _, err := splitDSN(dsn); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q: got %v", dsn, err)
		}
	}
}

// A parameter of ours in a service file would go to the server.
func TestSplitDSNLooksIntoTheServiceFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(file, []byte("[good]\nhost=h\n[bad]\nhost=h\nscope_policy=p\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", file)
	if base, _, err := splitDSN("service=good scope_policy=p"); err != nil || base != "service=good " {
		t.Errorf("got %q, %v", base, err)
	}
	if _, _, err := splitDSN("service=bad scope_policy=p"); err == nil || !strings.Contains(err.Error(), policyKey) {
		t.Errorf("got %v", err)
	}
}
