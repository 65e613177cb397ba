package policy_test

import (
	"regexp"
	"testing"

	"github.com/scoped-pgx/scoped/policy"
)

// TestDocumentation loads every policy in the documentation. One that is
// followed by a text block has the errors which that block shows.
func TestDocumentation(t *testing.T) {
	doc := string(read(t, "../docs/policy.md"))
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```(?:\n\n```text\n(.*?)\n?```)?").FindAllStringSubmatch(doc, -1)
	if len(blocks) != 4 {
		t.Fatalf("%d policies", len(blocks))
	}
	for _, block := range blocks {
		_, err := policy.Parse("policy.yaml", []byte(block[1]))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != block[2] {
			t.Errorf("the errors of\n%sare\n%s", block[1], got)
		}
	}
}
