package policy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"github.com/scoped-pgx/scoped/policy"
)

// Bad examples whose mistakes a schema cannot see.
var beyondSchema = []string{
	"cycles.yaml", "either_cycles.yaml", "ways.yaml",
	"anchor.yaml", "documents.yaml", "merge.yaml", "no_space.yaml", // go-yaml's decoder accepts these
}

func TestSchemaAgreesWithExamples(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(policy.JSONSchema(), &schema); err != nil {
		t.Fatal(err)
	}
	good, bad := examples(t)
	for _, path := range good {
		if err := checkExample(t, schema, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range bad {
		err := checkExample(t, schema, path)
		if beyond := slices.Contains(beyondSchema, filepath.Base(path)); (err == nil) != beyond {
			t.Errorf("%s: the schema's answer is %v", path, err)
		}
	}
}

// checkExample returns why the YAML decoder or the schema refuses a file.
func checkExample(t *testing.T, schema map[string]any, path string) error {
	var value any
	if err := yaml.NewDecoder(bytes.NewReader(read(t, path)), yaml.DisallowUnknownField()).Decode(&value); err != nil {
		return err
	}
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return checkSchema(schema, schema, value, "policy")
}

// checkSchema validates value by the keywords that the schema uses; it fails
// on any other keyword, so that none is silently ignored.
func checkSchema(root, schema map[string]any, value any, at string) error {
	object, isObject := value.(map[string]any)
	array, isArray := value.([]any)
	text, isText := value.(string)
	_, isBoolean := value.(bool)
	failed := func(keyword string) error { return fmt.Errorf("%s: %s", at, keyword) }
	for keyword, rule := range schema {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "default":
		case "$ref":
			name := strings.TrimPrefix(rule.(string), "#/$defs/")
			if err := checkSchema(root, root["$defs"].(map[string]any)[name].(map[string]any), value, at); err != nil {
				return err
			}
		case "type":
			number, isNumber := value.(float64)
			ok := map[string]bool{
				"object": isObject, "array": isArray, "string": isText, "boolean": isBoolean, "integer": isNumber && number == float64(int(number)),
			}[rule.(string)]
			if !ok {
				return failed("type")
			}
		case "const":
			if !reflect.DeepEqual(rule, value) {
				return failed(keyword)
			}
		case "enum":
			if !slices.ContainsFunc(rule.([]any), func(v any) bool { return reflect.DeepEqual(v, value) }) {
				return failed(keyword)
			}
		case "not":
			if checkSchema(root, rule.(map[string]any), value, at) == nil {
				return failed(keyword)
			}
		case "anyOf":
			if !slices.ContainsFunc(rule.([]any), func(s any) bool {
				return checkSchema(root, s.(map[string]any), value, at) == nil
			}) {
				return failed(keyword)
			}
		case "required":
			for _, key := range rule.([]any) {
				if _, ok := object[key.(string)]; isObject && !ok {
					return failed(keyword)
				}
			}
		case "minProperties":
			if isObject && len(object) < int(rule.(float64)) {
				return failed(keyword)
			}
		case "maxProperties":
			if len(object) > int(rule.(float64)) {
				return failed(keyword)
			}
		case "properties":
			for key, s := range rule.(map[string]any) {
				if v, ok := object[key]; ok {
					if err := checkSchema(root, s.(map[string]any), v, at+"."+key); err != nil {
						return err
					}
				}
			}
		case "propertyNames":
			for key := range object {
				if err := checkSchema(root, rule.(map[string]any), key, at+"."+key); err != nil {
					return err
				}
			}
		case "additionalProperties":
			known, _ := schema["properties"].(map[string]any)
			for key, v := range object {
				if _, ok := known[key]; ok {
					continue
				}
				s, ok := rule.(map[string]any)
				if !ok {
					return failed(keyword + " " + key)
				}
				if err := checkSchema(root, s, v, at+"."+key); err != nil {
					return err
				}
			}
		case "minItems":
			if isArray && len(array) < int(rule.(float64)) {
				return failed(keyword)
			}
		case "uniqueItems":
			for i, v := range array {
				if slices.ContainsFunc(array[:i], func(w any) bool { return reflect.DeepEqual(v, w) }) {
					return failed(keyword)
				}
			}
		case "items":
			for _, v := range array {
				if err := checkSchema(root, rule.(map[string]any), v, at+"[]"); err != nil {
					return err
				}
			}
		case "minLength":
			if isText && utf8.RuneCountInString(text) < int(rule.(float64)) {
				return failed(keyword)
			}
		case "maxLength":
			if utf8.RuneCountInString(text) > int(rule.(float64)) {
				return failed(keyword)
			}
		case "pattern":
			if isText && !regexp.MustCompile(rule.(string)).MatchString(text) {
				return failed(keyword)
			}
		default:
			return failed("unknown keyword " + keyword)
		}
	}
	return nil
}
