package terminal

import (
	"bytes"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	start := time.Now()
	show := func(b *Bar, out *bytes.Buffer) string {
		b.w, b.what, b.total, b.start, b.end = out, "migrating", 300, start, make(chan struct{})
		tick := make(chan time.Time)
		b.wait.Go(func() { b.show(tick) })
		tick <- start
		for i := range 100 {
			b.Step(i == 7)
		}
		tick <- start.Add(2 * time.Second)
		b.Close()
		return out.String()
	}
	var out bytes.Buffer
	if got, want := show(&Bar{}, &out), "migrating 0 of 300\nmigrating 100 of 300, 50.0/s, 4s left, 1 failed\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	if got, want := show(&Bar{terminal: true}, &out), "\r\x1b[Kmigrating [                              ] 0 of 300"+
		"\r\x1b[Kmigrating [##########                    ] 100 of 300, 50.0/s, 4s left, 1 failed\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	out.Reset()
	b := NewBar(&out, "migrating", 1)
	b.Step(false)
	b.Close()
	(*Bar)(nil).Step(false)
	if out.Len() > 0 {
		t.Errorf("what is done at once shows %q", out.String())
	}
}
