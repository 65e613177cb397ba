package terminal

import (
	"bytes"
	"testing"
	"time"
)

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	tick := make(chan time.Time)
	done := progress(&out, "reading", tick)
	tick <- time.Time{}
	tick <- time.Time{}
	done()
	if got, want := out.String(), "\r\x1b[Kreading… 1 s\r\x1b[Kreading… 2 s\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}

	out.Reset()
	progress(&out, "reading", tick)()
	Progress(&out, "reading")()
	if out.Len() > 0 {
		t.Errorf("what takes less than a second, or is not seen, shows %q", out.String())
	}
}
