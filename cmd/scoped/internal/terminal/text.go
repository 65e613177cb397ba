package terminal

import (
	"strings"
	"unicode/utf8"
)

// Visible returns text with its control characters replaced by the symbols that
// stand for them, so that no statement does anything to a terminal. Each
// character stays one, except that a line's carriage return is dropped.
func Visible(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		const pictures, deletePicture = '\u2400', '\u2421'
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return pictures + r
		case r == 0x7f:
			return deletePicture
		case 0x80 <= r && r < 0xa0:
			return utf8.RuneError
		}
		return r
	}, text)
}

// Lines returns text line by line, as Visible makes it.
func Lines(text string) []string { return strings.Split(Visible(text), "\n") }

// Pointed returns the lines of a statement with a caret under a place of it, line
// and column in characters from 1; with none under line 0. Long lines are clipped
// to what surrounds the place.
func (p *Printer) Pointed(text string, line, column int) []string {
	shown := Lines(text)
	for i, l := range shown {
		if i+1 != line {
			shown[i], _ = clip(l, 1)
			continue
		}
		l, column := clip(l, column)
		shown[i] = l + "\n" + blank(string([]rune(l)[:column-1])) + p.Styled(Red, "^")
	}
	return strings.Split(strings.Join(shown, "\n"), "\n")
}

// blank returns what is as wide as text, and empty.
func blank(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, text)
}

// clip returns what surrounds a column of a line that is too long to be shown
// whole, and the column in that.
func clip(line string, column int) (string, int) {
	const width = 120
	runes := []rune(line)
	column = min(column, len(runes)+1)
	if len(runes) <= width {
		return line, column
	}
	from := max(0, min(column-1-width/2, len(runes)-width))
	to := min(len(runes), from+width)
	column -= from
	line = string(runes[from:to])
	if from > 0 {
		line = "…" + line
		column++
	}
	if to < len(runes) {
		line += "…"
	}
	return line, column
}
