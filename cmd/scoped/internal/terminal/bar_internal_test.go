package terminal

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

func TestBar(t *testing.T) {
	// show returns what a Bar shows before and after 100 steps.
	show := func(terminal bool, every time.Duration) (shown string) {
		synctest.Test(t, func(*testing.T) {
			var out bytes.Buffer
			b := newBar(&out, terminal, "migrating", 300)
			time.Sleep(every)
			synctest.Wait()
			for i := range 100 {
				b.Step(i == 7)
			}
			time.Sleep(every)
			synctest.Wait()
			b.Close()
			shown = out.String()
		})
		return shown
	}
	if got, want := show(false, 10*time.Second), "migrating 0 of 300\nmigrating 100 of 300, 5.0/s, 40s left, 1 failed\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := show(true, 200*time.Millisecond), "\r\x1b[Kmigrating [                              ] 0 of 300"+
		"\r\x1b[Kmigrating [##########                    ] 100 of 300, 250.0/s, 1s left, 1 failed\r\x1b[K"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var out bytes.Buffer
	b := NewBar(&out, "migrating", 1)
	b.Step(false)
	b.Close()
	(*Bar)(nil).Step(false)
	if out.Len() > 0 {
		t.Errorf("what is done at once shows %q", out.String())
	}
}
