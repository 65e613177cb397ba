package terminal

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// Progress says on w, where that is a terminal, what takes longer than a second,
// and for how long it does. What it returns is to be called once, at the end, and
// removes the line.
func Progress(w io.Writer, what string) (done func()) {
	if !Is(w) {
		return func() {}
	}
	ticker := time.NewTicker(time.Second)
	end := progress(w, what, ticker.C)
	return func() {
		ticker.Stop()
		end()
	}
}

func progress(w io.Writer, what string, tick <-chan time.Time) (done func()) {
	const clearLine = "\r\x1b[K"
	var wait sync.WaitGroup
	end := make(chan struct{})
	wait.Go(func() {
		for seconds := 1; ; seconds++ {
			select {
			case <-tick:
				fmt.Fprintf(w, "%s%s… %d s", clearLine, what, seconds)
			case <-end:
				if seconds > 1 {
					io.WriteString(w, clearLine)
				}
				return
			}
		}
	})
	return func() {
		close(end)
		wait.Wait()
	}
}
