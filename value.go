package scoped

import (
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/policy"
	"github.com/scoped-pgx/scoped/rewrite"
)

type unrestricted uint8

// All is the value of a dimension that is explicitly unrestricted:
// With(ctx, "site", All). Tables stay restricted on the other dimensions.
const All unrestricted = 1

// A Set is several values of a dimension, made with AnyOf.
type Set struct {
	elements []element
	written  []element // the value of WriteTo, or none
	fault    string
}

// AnyOf returns several values for With: rows of any of them are visible.
// Duplicates count once, and one value is the same as that value alone. A
// slice, and another AnyOf, stands for its elements, so AnyOf(ids...) and
// AnyOf(ids) are the same. All is not a value and is refused. An INSERT that
// leaves the dimension to the scope needs one value and is refused under several.
func AnyOf(values ...any) Set {
	var set Set
	for _, v := range values {
		set.add(v)
	}
	return set
}

// WriteTo returns the same values, of which rows are read, with one of them as
// the only one that is written: UPDATE and DELETE change rows of that value, an
// INSERT is filled with it, and what is written is checked against it. With
// ON CONFLICT DO UPDATE, a row of another value in the way is a violation.
func (set Set) WriteTo(value any) Set {
	e, fault := newElement(value)
	set.written = []element{e}
	set.fail(fault)
	return set
}

func (set *Set) add(value any) {
	if other, ok := value.(Set); ok {
		if other.written != nil {
			set.fail("a set with WriteTo cannot be part of another")
		}
		set.elements = append(set.elements, other.elements...)
		set.fail(other.fault)
		return
	}
	if _, ok := value.(driver.Valuer); !ok {
		if v := reflect.ValueOf(value); v.Kind() == reflect.Slice && v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				set.add(v.Index(i).Interface())
			}
			return
		}
	}
	e, fault := newElement(value)
	set.elements = append(set.elements, e)
	set.fail(fault)
}

func (set *Set) fail(fault string) {
	if set.fault == "" {
		set.fault = fault
	}
}

// An element is one value, read from whatever the caller passed.
type element struct {
	kind   elementKind
	number int64
	text   string
}

type elementKind uint8

const (
	number elementKind = iota + 1
	text
	uuid // from its bytes; text may be a uuid too
)

func (k elementKind) String() string {
	return [...]string{"nothing", "an integer", "a string", "a uuid"}[k]
}

// newElement reads a value, or says what is wrong with it.
func newElement(value any) (e element, fault string) {
	v := reflect.ValueOf(value)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return element{}, "the value is nil"
	}
	// All is a number to Go, but no value.
	if _, ok := value.(unrestricted); ok {
		return element{}, "All cannot be one of several values"
	}
	// A uuid's own Value gives its text, which would pass for any text.
	if v.Kind() == reflect.Array && v.Len() == 16 && v.Type().Elem().Kind() == reflect.Uint8 {
		var b [16]byte
		reflect.Copy(reflect.ValueOf(&b).Elem(), v)
		return element{kind: uuid, text: formatUUID(b)}, ""
	}
	if valuer, ok := value.(driver.Valuer); ok {
		inner, err := valuer.Value()
		if err != nil {
			return element{}, fmt.Sprintf("the Value method of %T failed: %v", value, err)
		}
		if _, ok := inner.(driver.Valuer); ok {
			return element{}, fmt.Sprintf("the Value method of %T returned another Valuer", value)
		}
		return newElement(inner)
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return element{kind: number, number: v.Int()}, ""
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.Uint() > math.MaxInt64 {
			return element{}, fmt.Sprintf("%d is larger than any bigint", v.Uint())
		}
		return element{kind: number, number: int64(v.Uint())}, ""
	case reflect.String:
		return element{kind: text, text: strings.Clone(v.String())}, ""
	case reflect.Slice:
		return element{}, fmt.Sprintf("a %T is not one value; several are written AnyOf(…)", value)
	}
	return element{}, fmt.Sprintf("a value of type %T is not supported", value)
}

// bindElements returns the values as they are bound for a dimension of type t.
func bindElements(elements []element, t policy.Type) (p rewrite.Presence, value driver.Value, fault string) {
	if t == "uuid" || t == "text" {
		return bindAs(elements, t, element.bindString)
	}
	return bindAs(elements, t, element.bindNumber)
}

func bindAs[T int64 | string](elements []element, t policy.Type, bind func(element, policy.Type) (T, string)) (p rewrite.Presence, value driver.Value, fault string) {
	if len(elements) == 1 {
		v, fault := bind(elements[0], t)
		if fault != "" {
			return 0, nil, fault
		}
		return rewrite.One, v, ""
	}
	seen := make(map[T]struct{}, len(elements))
	unique := make([]T, 0, len(elements))
	for _, e := range elements {
		v, fault := bind(e, t)
		if fault != "" {
			return 0, nil, fault
		}
		if _, ok := seen[v]; !ok {
			seen[v] = struct{}{}
			unique = append(unique, v)
		}
	}
	if len(unique) == 1 {
		return rewrite.One, unique[0], ""
	}
	return rewrite.Many, unique, ""
}

func (e element) bindNumber(t policy.Type) (n int64, fault string) {
	switch {
	case e.kind != number:
		return 0, misfit(e, t)
	case !fits(e.number, t):
		return 0, fmt.Sprintf("%d is outside the range of %s", e.number, t)
	}
	return e.number, ""
}

func (e element) bindString(t policy.Type) (s, fault string) {
	switch {
	case e.kind == number, e.kind == uuid && t != "uuid":
		return "", misfit(e, t)
	case t == "uuid":
		s, ok := parseUUID(e.text)
		if !ok {
			return "", fmt.Sprintf("%.50q is not a uuid", e.text)
		}
		return s, ""
	case strings.IndexByte(e.text, 0) >= 0:
		return "", "the text contains a NUL byte"
	case !utf8.ValidString(e.text):
		return "", "the text is not valid UTF-8"
	case strings.HasSuffix(e.text, " "):
		return "", "the text ends with a space, which a column of type character or varchar(n) drops: the row would be another scope's"
	}
	return e.text, ""
}

// each returns the values that a bound value stands for.
func each(value driver.Value) []driver.Value {
	switch values := value.(type) {
	case []int64:
		return boxed(values)
	case []string:
		return boxed(values)
	}
	return []driver.Value{value}
}

func boxed[T any](values []T) []driver.Value {
	all := make([]driver.Value, len(values))
	for i, v := range values {
		all[i] = v
	}
	return all
}

var arrayQuoter = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayText returns a bound value with an array as PostgreSQL writes it, for a base
// that does not take slices.
func arrayText(value driver.Value) driver.Value {
	switch values := value.(type) {
	case []int64:
		array := []byte{'{'}
		for i, n := range values {
			if i > 0 {
				array = append(array, ',')
			}
			array = strconv.AppendInt(array, n, 10)
		}
		return string(append(array, '}'))
	case []string:
		quoted := make([]string, len(values))
		for i, s := range values {
			quoted[i] = `"` + arrayQuoter.Replace(s) + `"`
		}
		return "{" + strings.Join(quoted, ",") + "}"
	}
	return value
}

func misfit(e element, t policy.Type) string {
	return fmt.Sprintf("its type is %s, the value is %s", t, e.kind)
}

// fits reports whether an integer type holds n. A type that is not known holds
// nothing.
func fits(n int64, t policy.Type) bool {
	switch t {
	case "smallint":
		return n == int64(int16(n))
	case "integer":
		return n == int64(int32(n))
	case "bigint":
		return true
	}
	return false
}

func formatUUID(b [16]byte) string {
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// parseUUID accepts a uuid with its four hyphens or with none, and returns it as
// PostgreSQL prints it, so that two spellings are one value.
func parseUUID(s string) (string, bool) {
	if len(s) == 36 {
		if s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
			return "", false
		}
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	var b [16]byte
	if len(s) != 32 {
		return "", false
	}
	if _, err := hex.Decode(b[:], []byte(s)); err != nil {
		return "", false
	}
	return formatUUID(b), true
}
