package shell

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reeflective/readline"

	"github.com/scoped-pgx/scoped/internal/pgparse"
	"github.com/scoped-pgx/scoped/policy"
)

// keywords are those that are completed. The grammar has hundreds that nobody
// types at a prompt.
var keywords = strings.Fields(`
	ALL ALTER AND ANALYZE AS ASC BEGIN BETWEEN BY CASE COALESCE COMMIT CONFLICT COUNT CREATE CROSS
	CURRENT_DATE CURRENT_TIMESTAMP DEFAULT DELETE DESC DISTINCT DO ELSE END EXCEPT EXISTS EXPLAIN FALSE
	FETCH FILTER FIRST FOR FROM FULL GROUP HAVING ILIKE IN INNER INSERT INTERSECT INTERVAL INTO IS JOIN
	LAST LATERAL LEFT LIKE LIMIT LOCKED MERGE NATURAL NOT NOTHING NULL NULLS OFFSET ON OR ORDER OUTER OVER
	PARTITION RETURNING RIGHT ROLLBACK SAVEPOINT SELECT SET SHOW SKIP SUM TABLE THEN TRANSACTION TRUE
	UNION UPDATE USING VALUES WHEN WHERE WINDOW WITH`)

// complete returns what the word before the cursor may become.
func (s *shell) complete(line []rune, cursor int) readline.Completions {
	word, values := s.candidates(string(line[:cursor]), string(line[cursor:]))
	all := len(values)
	if values = s.fit(word, values); len(values) == 0 && all > 0 {
		return readline.CompleteMessage("%d possibilities; type more of the name", all)
	}
	c := readline.CompleteRaw(values)
	c.PREFIX = word
	return c
}

// fit returns the candidates where the screen has room for them with the prompt
// above, or else what all of them begin with.
func (s *shell) fit(word string, values []readline.Completion) []readline.Completion {
	const around = 8 // the prompt and headings
	widest := 0
	for _, v := range values {
		widest = max(widest, len(v.Value)+len("  "))
	}
	columns, lines := s.screen.size()
	if len(values) <= max(1, lines-around)*max(1, columns/max(1, widest)) {
		return values
	}
	common := values[0].Value
	for _, v := range values {
		for !strings.HasPrefix(v.Value, common) {
			common = common[:len(common)-1]
		}
	}
	if len(common) <= len(word) {
		return nil
	}
	return []readline.Completion{{Value: common}}
}

// candidates returns the word at the end of a line, and what it may become. The
// rest of the line is behind the cursor.
func (s *shell) candidates(line, rest string) (word string, values []readline.Completion) {
	if name, ok := strings.CutPrefix(strings.TrimLeft(line, blanks), `\`); ok && !s.buffer.end().quoted() {
		return s.commandCandidates(line, name)
	}
	before := s.buffer.text + "\n" + line
	if _, end := scan(before); end.quoted() && end != identifier {
		return "", nil
	}
	word = line[wordStart(line):]
	before = before[:len(before)-len(word)]
	if at := strings.LastIndexByte(before, ';'); at >= 0 {
		if ends, _ := scan(before); len(ends) > 0 {
			before = before[ends[len(ends)-1]+1:]
		}
	}
	if dot := strings.LastIndexByte(word, '.'); dot >= 0 {
		return word, s.qualifiedCandidates(before+" "+rest, word[:dot], word)
	}
	all := words(before)
	afterTable := len(all) > 0 && slices.Contains([]pgparse.Token{
		pgparse.Token_FROM, pgparse.Token_JOIN, pgparse.Token_INTO, pgparse.Token_UPDATE, pgparse.Token_TABLE,
		pgparse.Token_USING, pgparse.Token_ONLY}, all[len(all)-1])
	if afterTable {
		return word, s.tableCandidates(word)
	}
	values = s.columnCandidates(before+" "+rest, word)
	upper := strings.ToUpper(word)
	for _, k := range keywords {
		if word != "" && strings.HasPrefix(k, upper) {
			if word != upper {
				k = strings.ToLower(k)
			}
			values = append(values, readline.Completion{Value: k, Tag: "keywords"})
		}
	}
	if word != "" || len(all) > 0 {
		values = append(values, s.tableCandidates(word)...)
	}
	return word, values
}

// wordStart returns where the word at the end of text begins.
func wordStart(text string) int {
	return strings.LastIndexFunc(text, func(r rune) bool {
		return !(r == '_' || r == '.' || r == '"' || r == '$' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0x80)
	}) + 1
}

// tableCandidates are the tables that the policy knows and does not deny.
func (s *shell) tableCandidates(word string) []readline.Completion {
	var values []readline.Completion
	for _, t := range s.tables {
		name := s.spelled(t)
		if t.policy.Access != policy.Denied && hasPrefix(name, word) {
			values = append(values, readline.Completion{Value: name, Tag: "tables"})
		}
	}
	return values
}

func hasPrefix(name, word string) bool {
	return len(name) >= len(word) && strings.EqualFold(name[:len(word)], word)
}

// qualifiedCandidates are the columns of the table or alias in front of a dot, or
// the tables of a schema.
func (s *shell) qualifiedCandidates(text, qualifier, word string) []readline.Completion {
	var values []readline.Completion
	add := func(name, tag string) {
		if value := qualifier + "." + pgparse.QuoteIdentifier(name); hasPrefix(value, word) {
			values = append(values, readline.Completion{Value: value, Tag: tag})
		}
	}
	_, wanted := splitName(qualifier)
	for _, r := range s.references(text) {
		if r.alias == wanted {
			for _, c := range r.table.Columns {
				add(c.Name, "columns of "+r.table.Name)
			}
			return values
		}
	}
	for _, t := range s.tables {
		if s.scope.schemaOf(t.policy) == wanted && t.policy.Access != policy.Denied {
			add(t.Name, "tables")
		}
	}
	return values
}

// columnCandidates are the columns of the tables that a statement names.
func (s *shell) columnCandidates(text, word string) []readline.Completion {
	var values []readline.Completion
	seen := make(map[string]bool)
	for _, r := range s.references(text) {
		for _, c := range r.table.Columns {
			name := pgparse.QuoteIdentifier(c.Name)
			if !seen[name] && hasPrefix(name, word) {
				seen[name] = true
				values = append(values, readline.Completion{Value: name, Tag: "columns"})
			}
		}
	}
	return values
}

// A tableReference is a known table in a statement that is being typed.
type tableReference struct {
	table knownTable
	alias string
}

// references returns the known tables that a text names, and what it calls them.
// The text is not a statement yet, so its words must do.
func (s *shell) references(text string) []tableReference {
	var found []tableReference
	all, _ := tokens(text)
	for i := 0; i < len(all); i++ {
		begin := i
		for i+2 < len(all) && all[i+1].Token == pgparse.Token_ASCII_46 {
			i += 2
		}
		t, ok := s.find(text[all[begin].Start:all[i].End])
		if !ok || t.policy.Access == policy.Denied {
			continue
		}
		found = append(found, tableReference{t, t.Name})
		next := i + 1
		if next < len(all) && all[next].Token == pgparse.Token_AS {
			next++
		}
		if next < len(all) && (all[next].Token == pgparse.Token_IDENT || all[next].Token == pgparse.Token_UIDENT) {
			_, alias := splitName(text[all[next].Start:all[next].End])
			found = append(found, tableReference{t, alias})
		}
	}
	return found
}

// commandCandidates completes commands of the shell and what they take.
func (s *shell) commandCandidates(line, name string) (word string, values []readline.Completion) {
	command, args, hasArgs := strings.Cut(name, " ")
	if !hasArgs {
		for _, c := range commands {
			if c.run != nil && strings.HasPrefix(c.name, name) {
				values = append(values, readline.Completion{Value: `\` + c.name, Tag: "commands"})
			}
		}
		return `\` + name, values
	}
	word = args[strings.LastIndexAny(args, " ")+1:]
	add := func(tag string, names ...string) {
		for _, n := range names {
			if strings.HasPrefix(n, word) {
				values = append(values, readline.Completion{Value: n, Tag: tag})
			}
		}
	}
	switch command {
	case "d", "dt":
		values = s.tableCandidates(word)
	case "scope":
		add("scopes", "none")
		for _, d := range s.policy.Dimensions() {
			add("scopes", d.Name+"=")
		}
	case "lookup":
		for _, d := range s.policy.Dimensions() {
			l := &lookup{dimension: d}
			if s.findRoot(l) == nil {
				for _, c := range l.root.Columns {
					add("look-ups", d.Name+"."+c.Name+"=")
				}
			}
		}
	case "x":
		add("settings", "on", "off", "auto")
	case "timing":
		add("settings", "on", "off")
	case "pset":
		add("settings", "null", "format", "pager", "table", "csv", "json", "on", "off")
	case "i", "e":
		values = fileCandidates(word)
	case "copy":
		add("words", "to", "from", "csv", "header")
		values = append(values, s.tableCandidates(word)...)
		values = append(values, fileCandidates(word)...)
	}
	return word, values
}

func fileCandidates(word string) []readline.Completion {
	dir, prefix := filepath.Split(word)
	entries, _ := os.ReadDir(filepath.Join(".", dir))
	if filepath.IsAbs(dir) {
		entries, _ = os.ReadDir(dir)
	}
	var values []readline.Completion
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || prefix == "" && strings.HasPrefix(e.Name(), ".") {
			continue
		}
		name := dir + e.Name()
		if e.IsDir() {
			name += "/"
		}
		values = append(values, readline.Completion{Value: name, Tag: "files"})
	}
	return values
}
