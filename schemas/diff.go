package schemas

// A Difference is between the definitions of two schemas.
type Difference struct {
	Want *Object // nil for an object too many
	Got  *Object // nil for one that is missing
}

// Object returns the object that differs.
func (d Difference) Object() *Object {
	if d.Want != nil {
		return d.Want
	}
	return d.Got
}

// Diff returns how another schema's definition differs: first the objects that it
// lacks or that are made otherwise, in d's order, then those that d lacks.
func (d *Definition) Diff(other *Definition) []Difference {
	type key struct{ kind, table, name string }
	of := func(o *Object) key { return key{o.Kind, o.Table, o.Name} }
	got := make(map[key]*Object, len(other.objects))
	for _, o := range other.objects {
		got[of(o)] = o
	}
	var differences []Difference
	for _, want := range d.objects {
		o := got[of(want)]
		delete(got, of(want))
		if o == nil || o.text() != want.text() {
			differences = append(differences, Difference{want, o})
		}
	}
	for _, o := range other.objects {
		if got[of(o)] != nil {
			differences = append(differences, Difference{nil, o})
		}
	}
	return differences
}
