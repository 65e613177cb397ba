package rewrite_test

import (
	"errors"
	"testing"

	"github.com/scoped-pgx/scoped/rewrite"
)

// FuzzRewrite looks for text on which the rewriter panics, for errors that are
// not typed, and for statements that the editor accepts and the certificate
// does not, which are bugs of the one or the other.
func FuzzRewrite(f *testing.F) {
	p := goldenPolicy(f)
	without, with := rewrite.Rewriter{Policy: p}, (&golden{catalog: true}).rewriter(f, p)
	for _, file := range goldenFiles(f) {
		cases, _ := readGoldens(f, file)
		for _, g := range cases {
			f.Add(g.sql, uint64(0o11)) // one value in each of two dimensions
		}
	}
	f.Fuzz(func(t *testing.T, sql string, shape uint64) {
		shape &= 1<<(3*len(p.Dimensions())) - 1
		for _, w := range []rewrite.Rewriter{without, with} {
			r, err := w.Rewrite(sql, rewrite.Shape(shape))
			var e *rewrite.Error
			switch {
			case err == nil:
				if r.UserPosition(len(r.SQL)) < 0 {
					t.Errorf("%q: position", sql)
				}
			case !errors.As(err, &e):
				t.Errorf("%q: %T", sql, err)
			case e.Code == rewrite.CodeCertificate:
				t.Errorf("%q: %v", sql, err)
			}
		}
	})
}
