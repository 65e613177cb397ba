package scoped

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"unicode/utf8"
)

// LogHandler returns a handler that adds the scope of the context to each record,
// so that a program's own log tells which tenant a line belongs to:
//
//	slog.SetDefault(slog.New(scoped.LogHandler(slog.NewJSONHandler(os.Stderr, nil))))
//	slog.InfoContext(scoped.With(ctx, "site", 42), "a post is published")
//	// {…,"msg":"a post is published","scope":{"site":42}}
//
// It is the group scope, in front of the record's own attributes and outside of
// the groups that are open: the value of each dimension, several in a list, or
// "all"; "disabled" with the reason while scopes are disabled; or "fault" of a
// scope that is wrong. A record whose context has no scope is left as it is. The
// scope that a statement inherits from its transaction is not in its context.
func LogHandler(base slog.Handler) slog.Handler { return &logHandler{base: base} }

type logHandler struct {
	base slog.Handler
	// inside are what WithGroup and WithAttrs do once a group is open, in which
	// the scope shall not be.
	inside []func(slog.Handler) slog.Handler
}

var _ slog.Handler = (*logHandler)(nil)

func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.base.Enabled(ctx, level)
}

// Handle passes the record on with a context that says that it has the scope.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	base := h.base
	if s := fromContext(ctx); s != nil && ctx.Value(loggedKey{}) == nil {
		ctx = context.WithValue(ctx, loggedKey{}, true)
		base = base.WithAttrs([]slog.Attr{s.logged()})
	}
	for _, with := range h.inside {
		base = with(base)
	}
	return base.Handle(ctx, record)
}

type loggedKey struct{}

func (h *logHandler) WithGroup(name string) slog.Handler {
	return h.with(func(base slog.Handler) slog.Handler { return base.WithGroup(name) })
}

func (h *logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	if len(h.inside) == 0 {
		return LogHandler(h.base.WithAttrs(attributes))
	}
	return h.with(func(base slog.Handler) slog.Handler { return base.WithAttrs(attributes) })
}

func (h *logHandler) with(f func(slog.Handler) slog.Handler) slog.Handler {
	return &logHandler{h.base, append(slices.Clip(h.inside), f)}
}

// logged returns the scope as records have it.
func (s *scope) logged() slog.Attr {
	switch {
	case s.fault != nil:
		return slog.Group("scope", slog.String("fault", s.fault.Message))
	case s.disabled:
		return slog.Group("scope", slog.String("disabled", s.reason))
	}
	var values []slog.Attr
	// From the inside out, as it is bound.
	for ; s != nil; s = s.outer {
		if !s.disabled && !slices.ContainsFunc(values, func(a slog.Attr) bool { return a.Key == s.dimension }) {
			values = append(values, slog.Any(s.dimension, s.loggedValue()))
		}
	}
	slices.Reverse(values)
	return slog.Attr{Key: "scope", Value: slog.GroupValue(values...)}
}

func (s *scope) loggedValue() any {
	const most = 20 // that a line can bear
	if s.all {
		return loggable(All)
	}
	var values []any
	for _, e := range s.elements[:min(most, len(s.elements))] {
		if e.kind == number {
			values = append(values, e.number)
		} else {
			values = append(values, e.text)
		}
	}
	if more := len(s.elements) - most; more > 0 {
		values = append(values, fmt.Sprintf("and %d more", more))
	}
	if len(values) == 1 {
		return values[0]
	}
	return values
}

func loggable(value any) any {
	if value == All {
		return "all"
	}
	return value
}

// log logs what happens under a scope, which is the context's or that of its
// transaction.
func (e *engine) log(ctx context.Context, s *scope, level slog.Level, message string, attributes ...slog.Attr) {
	logger := e.logger
	if logger == nil {
		logger = slog.Default()
	}
	ctx = context.WithValue(ctx, scopeKey{}, s)
	slog.New(LogHandler(logger.Handler())).LogAttrs(ctx, level, message, attributes...)
}

// logDisabled logs the reason for which a scope is disabled, with the statement
// that runs first.
func (e *engine) logDisabled(ctx context.Context, s *scope, statement string) {
	if !s.seenBy(e) && s.see(e) {
		e.log(ctx, s, slog.LevelInfo, "scopes are disabled", slog.String("statement", abridge(statement)))
	}
}

// abridge cuts a statement to what a line of a log can bear.
func abridge(statement string) string {
	const longest = 2000
	if len(statement) <= longest {
		return statement
	}
	end := longest
	for end > 0 && !utf8.RuneStart(statement[end]) {
		end--
	}
	return statement[:end] + "…"
}
