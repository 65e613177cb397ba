package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/scoped-pgx/scoped/cmd/scoped/internal/scope"
)

// maxLine bounds a line of input, in bytes. The longest statement that is read
// at all has 16 MiB, each byte of which may be escaped with six.
const maxLine = 128 << 20

// jsonFormat answers each line of JSON with one.
type jsonFormat struct {
	scope   *scope.Scope
	out     *bufio.Writer
	refused bool
}

// jsonQuery is a line of input.
type jsonQuery struct {
	name, sql string
}

// jsonResult is a line of output. Its form is stable.
type jsonResult struct {
	Name   string      `json:"name"`
	SQL    string      `json:"sql"`
	Args   []any       `json:"args"`
	Tables []jsonTable `json:"tables"`
	Error  *jsonError  `json:"error"`
}

type jsonTable struct {
	Table  string `json:"table"`
	Access string `json:"access"`
	Guard  string `json:"guard"`
}

type jsonError struct {
	Code     string `json:"code"`
	Message  string `json:"message"`
	Position int    `json:"position"`
	Hint     string `json:"hint"`
}

// read answers every line of a file. Each answer is written before more
// input is waited for, so a program may send line by line.
func (f *jsonFormat) read(file io.Reader, name string) error {
	encoder := json.NewEncoder(f.out)
	encoder.SetEscapeHTML(false)
	err := readQueries(answeredFirst{file, f.out}, name, func(query jsonQuery, _ int) error {
		return f.answer(query, encoder)
	})
	if flushErr := f.out.Flush(); flushErr != nil {
		return flushErr
	}
	return err
}

// answeredFirst is a file of which nothing is read before out is flushed.
type answeredFirst struct {
	file io.Reader
	out  *bufio.Writer
}

func (r answeredFirst) Read(p []byte) (int, error) {
	if err := r.out.Flush(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

func (f *jsonFormat) finish() (refused bool, err error) { return f.refused, nil }

func (f *jsonFormat) answer(query jsonQuery, encoder *json.Encoder) error {
	o, err := f.scope.Rewrite(query.sql)
	if err != nil {
		return err
	}
	result := jsonResult{Name: query.name, SQL: o.SQL, Args: []any{}, Tables: []jsonTable{}}
	for _, a := range o.Args {
		result.Args = append(result.Args, a.Value)
	}
	for _, t := range o.Tables {
		result.Tables = append(result.Tables, jsonTable(t))
	}
	if o.Refusal != nil {
		f.refused = true
		result.Error = &jsonError{
			Code:     string(o.Refusal.Code),
			Message:  o.Refusal.Message,
			Position: o.Refusal.Position.Char,
			Hint:     o.Refusal.Hint,
		}
	}
	return encoder.Encode(result)
}

// readQueries calls do with every line of a file that is not blank, and its
// number.
func readQueries(file io.Reader, name string, do func(query jsonQuery, line int) error) error {
	lines := &lineReader{reader: bufio.NewReaderSize(file, 64<<10)}
	for {
		line, err := lines.next()
		if err == io.EOF {
			return nil
		}
		if err == nil && len(line) > 0 {
			var query jsonQuery
			if query, err = parseQuery(line); err == nil {
				err = do(query, lines.number)
			}
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, lines.number, err)
		}
	}
}

// parseQuery reads a line of input. It is strict, so that no misspelled key and
// no damaged text goes unnoticed: keys are compared exactly, each may occur
// once, and the line must be valid UTF-8.
func parseQuery(line []byte) (jsonQuery, error) {
	if !utf8.Valid(line) {
		return jsonQuery{}, errors.New("the line is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	token := func() (json.Token, error) {
		t, err := decoder.Token()
		if err == io.EOF {
			err = errors.New("unexpected end")
		}
		if err != nil {
			return nil, fmt.Errorf("the line is not valid JSON: %w", err)
		}
		return t, nil
	}
	opening, err := token()
	if err != nil {
		return jsonQuery{}, err
	}
	if opening != json.Delim('{') {
		return jsonQuery{}, errors.New(`the line is not an object such as {"name": "GetPost", "sql": "SELECT 1"}`)
	}
	fields := map[string]string{}
	for decoder.More() {
		key, err := token()
		if err != nil {
			return jsonQuery{}, err
		}
		value, err := token()
		if err != nil {
			return jsonQuery{}, err
		}
		name := key.(string) // the decoder accepts no other key
		text, ok := value.(string)
		_, twice := fields[name]
		switch {
		case name != "name" && name != "sql":
			return jsonQuery{}, fmt.Errorf("unknown key %q; the keys are \"name\" and \"sql\"", name)
		case twice:
			return jsonQuery{}, fmt.Errorf("the key %q is given twice", name)
		case !ok:
			return jsonQuery{}, fmt.Errorf("the value of %q is not a string", name)
		}
		fields[name] = text
	}
	if _, err := token(); err != nil {
		return jsonQuery{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return jsonQuery{}, errors.New("something follows the object")
	}
	sql, ok := fields["sql"]
	if !ok {
		return jsonQuery{}, errors.New(`the key "sql" is missing`)
	}
	return jsonQuery{name: fields["name"], sql: sql}, nil
}

// A lineReader reads lines of any length up to maxLine.
type lineReader struct {
	reader *bufio.Reader
	number int // of the line read last, from 1
	line   []byte
}

// next returns the next line without the white space around it, or io.EOF. It
// is valid until the next call.
func (r *lineReader) next() ([]byte, error) {
	const kept = 1 << 20
	if cap(r.line) > kept {
		r.line = nil
	}
	r.line = r.line[:0]
	r.number++
	for {
		part, err := r.reader.ReadSlice('\n')
		r.line = append(r.line, part...)
		switch {
		case len(r.line) > maxLine:
			return nil, fmt.Errorf("the line has more than %d MiB", maxLine>>20)
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(r.line) > 0, err == nil:
			return bytes.TrimSpace(r.line), nil
		}
		return nil, err
	}
}
