package main

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	width  = 100
	margin = "    "
	label  = 10 // the width of "program" and its like
	shown  = 4  // rows of a result that are printed
)

// colourful reports whether file is a terminal that may be written to in
// colour. See https://no-color.org.
func colourful(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

type style string

const (
	plain style = ""
	bold  style = "1"
	faint style = "2"
	red   style = "31"
	green style = "32"
)

// A printer writes the scenes, each line within width.
type printer struct {
	w      io.Writer
	colour bool
}

func (p *printer) styled(s style, text string) string {
	if !p.colour || s == plain {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

func (p *printer) line(parts ...string) {
	fmt.Fprintln(p.w, strings.TrimRight(strings.Join(parts, ""), " "))
}

func (p *printer) opening(took time.Duration) {
	p.line(p.styled(bold, "A blog platform: 200 sites, 20,000 posts and 100,000 comments in one PostgreSQL database."))
	p.line(fmt.Sprintf("Filled in %.1f s. The program is ordinary database/sql code; only its driver's name is new.", took.Seconds()))
}

func (p *printer) scene(number int, r result) {
	p.line()
	p.line(p.styled(bold, fmt.Sprintf("%2d  %s", number, r.title)))
	p.words("context", p.mark(r.scope.String(), faint))
	p.words("program", p.mark(r.sql, plain))
	if len(r.args) > 0 {
		var args []string
		for i, arg := range r.args {
			args = append(args, fmt.Sprintf("$%d = %v", i+1, arg))
		}
		p.words("", p.mark(strings.Join(args, ", "), faint))
	}
	switch {
	case r.sent == "":
		p.words("sent", p.mark("nothing", red))
	case r.sent == r.sql:
		p.words("sent", p.mark("the same", plain))
	default:
		p.words("sent", inserted(r.sql, r.sent))
	}
	if len(r.bound) > 0 {
		p.words("", p.mark(strings.Join(r.bound, ", "), green))
	}
	p.outcome(r.outcome)
	for _, problem := range r.problems {
		p.words("DIFFERS", p.mark(problem, red))
	}
}

func (p *printer) outcome(o outcome) {
	switch {
	case o.err != nil:
		p.words("outcome", p.mark(o.String()+": "+o.err.Error(), red))
		return
	case o.exec:
		p.words("outcome", p.mark(o.String(), bold))
		return
	}
	first := o.rows[:min(len(o.rows), shown)]
	widths := make([]int, len(o.columns))
	for _, row := range append([][]string{o.columns}, first...) {
		for i, text := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(text))
		}
	}
	align := func(row []string) string {
		var b strings.Builder
		for i, text := range row {
			fmt.Fprintf(&b, "%-*s  ", widths[i], text)
		}
		return strings.TrimRight(b.String(), " ")
	}
	text := []token{{o.String() + "\n", bold}, {align(o.columns), faint}}
	for _, row := range first {
		text = append(text, token{"\n" + align(row), plain})
	}
	if more := len(o.rows) - len(first); more > 0 {
		text = append(text, token{fmt.Sprintf("\n… and %d more", more), faint})
	}
	p.words("outcome", text)
}

// summary prints the table of all scenes and reports whether all are as they
// must be.
func (p *printer) summary(results []result) bool {
	p.line()
	p.line(p.styled(bold, "Compared with the superuser's own queries, filtered by hand, in a copy of the database:"))
	p.line("the outcome, the rows, all tables afterwards, and the text that the server saw.")
	p.line()
	p.line(p.styled(faint, fmt.Sprintf("%2s  %-58s%-18s%-18s", "", "scene", "expected", "got")))
	equal := true
	for i, r := range results {
		verdict := p.styled(green, "ok")
		if len(r.problems) > 0 {
			verdict = p.styled(red, "NO")
			equal = false
		}
		p.line(fmt.Sprintf("%2d  %-58s%-18s%-18s", i+1, r.title, r.want, r.outcome), verdict)
		for _, problem := range r.problems {
			p.line(margin, p.styled(red, problem))
		}
	}
	p.line()
	if equal {
		p.line(p.styled(green, fmt.Sprintf("All %d scenes are as they must be.", len(results))))
	} else {
		p.line(p.styled(red, "Some scenes are not as they must be."))
	}
	return equal
}

// A token is a piece of text in one style.
type token struct {
	text  string
	style style
}

var tokens = regexp.MustCompile(`\n|[ \t]+|\w+|.`)

func (p *printer) mark(text string, s style) []token { return []token{{text, s}} }

// inserted returns the tokens of sent, those that original lacks marked. Since
// a rewrite only inserts, original is a subsequence of sent.
func inserted(original, sent string) []token {
	a, b := tokens.FindAllString(original, -1), tokens.FindAllString(sent, -1)
	// common[i][j] is the length of the longest subsequence common to a[i:] and b[j:].
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var marked []token
	i := 0
	for j, text := range b {
		if i < len(a) && a[i] == text && common[i][j] == common[i+1][j+1]+1 {
			marked = append(marked, token{text, plain})
			i++
		} else {
			marked = append(marked, token{text, green})
		}
	}
	return marked
}

// words prints text behind a label, broken between words where a line would
// grow too long.
func (p *printer) words(name string, text []token) {
	indent := utf8.RuneCountInString(margin) + label
	fmt.Fprintf(p.w, "%s%s%*s", margin, p.styled(faint, name), label-len(name), "")
	column := indent
	newline := func(extra int) {
		fmt.Fprintf(p.w, "\n%*s", indent+extra, "")
		column = indent + extra
	}

	var word []token // what may not be broken
	var length int
	space := ""
	flush := func() {
		if length == 0 {
			return
		}
		if column+len(space)+length > width && column > indent {
			newline(2)
		} else {
			fmt.Fprint(p.w, space)
			column += len(space)
		}
		for _, t := range word {
			fmt.Fprint(p.w, p.styled(t.style, t.text))
		}
		column += length
		word, length, space = nil, 0, ""
	}
	for _, t := range text {
		for _, piece := range tokens.FindAllString(t.text, -1) {
			switch {
			case piece == "\n":
				flush()
				space = ""
				newline(0)
			case strings.TrimLeft(piece, " \t") == "":
				flush()
				space += piece
			default:
				word = append(word, token{piece, t.style})
				length += utf8.RuneCountInString(piece)
			}
		}
	}
	flush()
	p.line()
}
