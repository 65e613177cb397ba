package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A Bar shows how far a task of many parts is: on a terminal in a line that is
// written again and again, elsewhere in a line every ten seconds. A nil Bar shows
// nothing.
type Bar struct {
	w        io.Writer
	terminal bool
	what     string
	total    int
	start    time.Time
	end      chan struct{}
	wait     sync.WaitGroup

	mu           sync.Mutex
	done, failed int
}

// NewBar returns a Bar of total parts. It is closed once, at the end.
func NewBar(w io.Writer, what string, total int) *Bar {
	return newBar(w, Is(w), what, total)
}

func newBar(w io.Writer, terminal bool, what string, total int) *Bar {
	b := &Bar{w: w, terminal: terminal, what: what, total: total, start: time.Now(), end: make(chan struct{})}
	every := 10 * time.Second
	if terminal {
		every = 200 * time.Millisecond
	}
	ticker := time.NewTicker(every)
	b.wait.Go(func() {
		defer ticker.Stop()
		b.show(ticker.C)
	})
	return b
}

// Step says that another part is done, or failed.
func (b *Bar) Step(failed bool) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if failed {
		b.failed++
	}
}

// Close removes the line from a terminal.
func (b *Bar) Close() {
	close(b.end)
	b.wait.Wait()
}

func (b *Bar) show(tick <-chan time.Time) {
	const clearLine = "\r\x1b[K"
	shown := false
	for {
		select {
		case now := <-tick:
			line := b.line(now.Sub(b.start))
			if b.terminal {
				line = clearLine + line
			} else {
				line += "\n"
			}
			io.WriteString(b.w, line)
			shown = true
		case <-b.end:
			if shown && b.terminal {
				io.WriteString(b.w, clearLine)
			}
			return
		}
	}
}

// line returns what is shown after a time.
func (b *Bar) line(after time.Duration) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	line := b.what
	if b.terminal {
		const width = 30
		full := width * b.done / max(1, b.total)
		line += " [" + strings.Repeat("#", full) + strings.Repeat(" ", width-full) + "]"
	}
	line += fmt.Sprintf(" %d of %d", b.done, b.total)
	if b.done > 0 && after > 0 {
		rate := float64(b.done) / after.Seconds()
		left := time.Duration(float64(b.total-b.done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %.1f/s, %s left", rate, left.Round(time.Second))
	}
	if b.failed > 0 {
		line += fmt.Sprintf(", %d failed", b.failed)
	}
	return line
}
