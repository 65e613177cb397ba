package isolation

import (
	"context"
	"regexp"
	"strings"
	"time"

	"github.com/scoped-pgx/scoped/internal/pgparse"
)

// Reduce returns the smallest statement that it finds, by leaving out and
// replacing parts of sql, of which the oracle says the same as of sql. Patience
// bounds how long it looks.
func Reduce(ctx context.Context, o *Oracle, f Finding, patience time.Duration) Finding {
	deadline := time.Now().Add(patience)
	first, err := o.Ask(ctx, f.SQL, f.Plan)
	if err != nil || first.Verdict != Different && first.Verdict != Order && first.Verdict != Leak {
		return f // it does not fail each time
	}
	tried := map[string]bool{}
	holds := func(tokens []string) bool {
		sql := joinTokens(tokens)
		if tried[sql] || time.Now().After(deadline) || ctx.Err() != nil {
			return false
		}
		tried[sql] = true
		if _, err := pgparse.Parse(sql); err != nil {
			return false
		}
		result, err := o.Ask(ctx, sql, f.Plan)
		return err == nil && result.Verdict == first.Verdict && kindOfDetail(result.Detail) == kindOfDetail(first.Detail)
	}
	tokens := splitTokens(f.SQL)
	for {
		smaller, ok := smallerTokens(tokens, holds)
		if !ok {
			break
		}
		tokens = smaller
	}
	f.SQL = joinTokens(tokens)
	if result, err := o.Ask(ctx, f.SQL, f.Plan); err == nil {
		f.Detail = result.Detail
	}
	return f
}

var sqlStates = regexp.MustCompile(`"([0-9A-Z]{5})? `)

// kindOfDetail returns the beginning of a detail, which says what kind it is of:
// a reduced statement must fail for the same reason.
func kindOfDetail(detail string) string {
	if strings.HasPrefix(detail, "SQLSTATE") {
		return strings.Join(sqlStates.FindAllString(detail, 2), "")
	}
	kind, _, _ := strings.Cut(detail, ":")
	if words := strings.Fields(kind); len(words) > 2 {
		return strings.Join(words[:2], " ")
	}
	return kind
}

// Varied returns at most most findings of each kind, so that a frequent
// difference does not hide a rare one.
func Varied(findings []Finding, most int) []Finding {
	seen := map[string]int{}
	var some []Finding
	for _, f := range findings {
		kind := kindOfDetail(f.Detail)
		if seen[kind] < most {
			some = append(some, f)
		}
		seen[kind]++
	}
	return some
}

// smallerTokens tries to leave out, unwrap or replace windows of tokens, the
// widest first, and returns the first that holds.
func smallerTokens(tokens []string, holds func([]string) bool) ([]string, bool) {
	for _, size := range windowSizes(len(tokens)) {
		step := 1
		if size > 40 {
			step = size / 16
		}
		for i := 0; i+size <= len(tokens); i += step {
			window := tokens[i : i+size]
			if !balanced(window) {
				continue
			}
			var replacements [][]string
			replacements = append(replacements, nil)
			if size > 2 && window[0] == "(" && window[size-1] == ")" {
				inside := window[1 : size-1]
				if holds(inside) {
					return inside, true
				}
				replacements = append(replacements, inside)
			}
			if size > 1 {
				replacements = append(replacements, []string{"true"}, []string{"NULL"}, []string{"1"}, []string{"*"})
			}
			for _, replacement := range replacements {
				candidate := make([]string, 0, len(tokens))
				candidate = append(candidate, tokens[:i]...)
				candidate = append(candidate, replacement...)
				candidate = append(candidate, tokens[i+size:]...)
				if len(candidate) < len(tokens) && holds(candidate) {
					return candidate, true
				}
			}
		}
	}
	return nil, false
}

// windowSizes are all sizes up to forty tokens, and fewer above.
func windowSizes(n int) []int {
	var sizes []int
	for size := n - 1; size > 40; size -= max(1, size/12) {
		sizes = append(sizes, size)
	}
	for size := min(40, n-1); size > 0; size-- {
		sizes = append(sizes, size)
	}
	return sizes
}

func balanced(tokens []string) bool {
	depth := 0
	for _, t := range tokens {
		switch t {
		case "(", "[":
			depth++
		case ")", "]":
			depth--
		}
		if depth < 0 {
			return false
		}
	}
	return depth == 0
}

func splitTokens(sql string) []string {
	scanned, err := pgparse.Scan(sql)
	if err != nil {
		return []string{sql}
	}
	var tokens []string
	for _, t := range scanned {
		tokens = append(tokens, sql[t.Start:t.End])
	}
	return tokens
}

// joinTokens writes tokens with as little space as reads well.
func joinTokens(tokens []string) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && spaced(tokens[i-1], t) {
			b.WriteByte(' ')
		}
		b.WriteString(t)
	}
	return b.String()
}

func spaced(before, t string) bool {
	switch before {
	case "(", ".", "::", "[":
		return false
	}
	switch t {
	case ")", ".", "::", ",", "]", "[", ";":
		return false
	}
	return true
}
