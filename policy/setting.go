package policy

import (
	"fmt"
	"slices"
)

// settings are what a policy says of statements, and not of tables.
type settings struct {
	listen, notify bool
	errorValues    bool
	file           string
}

// File returns the name of the policy's file, as it was given to Load or Parse.
func (p *Policy) File() string { return p.settings.file }

// ListenAllowed reports whether statements may LISTEN to channels, which belong
// to no scope.
func (p *Policy) ListenAllowed() bool { return p.settings.listen }

// NotifyAllowed reports whether statements may NOTIFY channels, which belong to
// no scope.
func (p *Policy) NotifyAllowed() bool { return p.settings.notify }

// ErrorValuesShown reports whether errors of the server may hold the values of
// rows. The default is to hide them.
func (p *Policy) ErrorValuesShown() bool { return p.settings.errorValues }

// allow reads the statements that are refused unless they are listed.
func (l *loader) allow(n *node) {
	const write = "write allow: [listen, notify], or one of them"
	if !l.expect(n, sequence, "allow", write) {
		return
	}
	seen := map[string]bool{}
	for _, item := range n.items {
		if !l.expect(item, text, "an item of allow", write) {
			continue
		}
		switch name := item.text; {
		case seen[name]:
			l.fail(item, fmt.Sprintf("%q is in the list twice", name), "remove one of the two")
		case name == "listen":
			l.policy.settings.listen = true
		case name == "notify":
			l.policy.settings.notify = true
		default:
			l.fail(item, fmt.Sprintf("%q cannot be allowed", name), didYouMean(name, []string{"listen", "notify"}, write))
		}
		seen[item.text] = true
	}
}

// errorMessages reads what the messages of errors may hold.
func (l *loader) errorMessages(n *node) {
	values := l.fields(n, "errors", errorKeys)["values"]
	const write = "write errors: {values: hidden} or errors: {values: shown}"
	if values == nil || !l.expect(values, text, "errors.values", write) {
		return
	}
	forms := []string{"hidden", "shown"}
	if !slices.Contains(forms, values.text) {
		l.fail(values, fmt.Sprintf("%q says nothing of values", values.text), didYouMean(values.text, forms, write))
	}
	l.policy.settings.errorValues = values.text == "shown"
}
