package shell

import (
	"strings"

	"github.com/rivo/uniseg"
)

// prompt returns what stands before the next line: the database, the scope, what
// the line is inside of, and the state of the transaction, as in
//
//	blog[site=3]=>    blog[site=3]=*>    blog[site=3]-!>    blog[DISABLED]=#
//
// The database is left out where there is no room for it.
func (s *shell) prompt() string {
	columns, _ := s.screen.size()
	longest := max(20, columns/2)
	database, end := printable(s.config.Database), ">"
	scope := strings.ReplaceAll(printable(s.scope.String()), "\n", " ")
	if s.scope.disabled != "" {
		scope, end = "DISABLED", "#"
	}
	if runes := []rune(scope); len(runes) > longest {
		scope = string(runes[:longest]) + "…"
	}
	if uniseg.StringWidth(database+scope) > longest {
		database = ""
	}
	if s.screen.colourful() {
		colour := "1" // bold
		switch {
		case s.scope.disabled != "":
			colour = "1;31"
		case len(s.scope.values) == 0:
			colour = "2" // faint
		}
		scope = "\x1b[" + colour + "m" + scope + "\x1b[0m"
	}
	transaction := map[byte]string{open: "*", failed: "!"}[s.session.state()]
	if s.session.conn == nil {
		transaction = "?"
	}
	return database + "[" + scope + "]" + string(s.buffer.end()) + transaction + end + " "
}
