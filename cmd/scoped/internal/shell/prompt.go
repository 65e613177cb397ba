package shell

import (
	"strings"

	"github.com/rivo/uniseg"
)

// prompt returns what stands before the next line: the database, the scope, what
// the line is inside of, and the state of the transaction, as in
//
//	blog[site=3]=>    blog[site=3]=*>    blog[site=3]-!>    blog[DISABLED]=#
func (s *shell) prompt() string {
	const longest = 40
	scope, end := printable(s.scope.String()), ">"
	if uniseg.StringWidth(scope) > longest {
		cut := []rune(scope)
		scope = string(cut[:min(len(cut), longest)]) + "…"
	}
	if s.scope.disabled != "" {
		scope, end = "DISABLED", "#"
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
	scope = strings.ReplaceAll(scope, "\n", " ")
	return printable(s.config.Database) + "[" + scope + "]" + string(s.buffer.end()) + transaction + end + " "
}
