package corpus

import (
	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

// A Sample is a statement that is accepted, with what it is rewritten under: one
// value of each dimension.
type Sample struct {
	Statement
	Scheme Scheme
	Policy *policy.Policy
	Shape  rewrite.Shape
}

// Samples returns the statements of the texts that are accepted under a scheme,
// of all kinds but Other, which are hardly rewritten.
func Samples(texts []Text, scheme Scheme) ([]Sample, error) {
	var samples []Sample
	var cache policies
	for _, text := range texts {
		for _, s := range Split(text) {
			if s.Kind == Other {
				continue
			}
			p, err := cache.of(namesOf(s.tree).yaml(scheme))
			if err != nil {
				return nil, err
			}
			s.tree = nil
			one := shape(p, rewrite.One)
			if _, err := rewrite.New(s.SQL, p, one); err == nil {
				samples = append(samples, Sample{s, scheme, p, one})
			}
		}
	}
	return samples, nil
}
