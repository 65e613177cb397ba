package migrate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/migrate"
)

func TestLongReport(t *testing.T) {
	r := migrate.Report{NotReached: strings.Fields(strings.Repeat("t_a ", 23))}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	expect(t, b.String(), "not begun: "+strings.Repeat("t_a, ", 19)+"t_a and 3 others\n"+
		"schemas: 0 migrated in 0s, 0 up to date, 23 not begun; the next run goes on from here\n")
}
