package migrate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/scoped-pgx/scoped/schemas"
)

// Files are migrations in SQL, one a file.
type Files struct {
	migrations []schemas.Migration
	texts      map[string]string // by the migration's name
}

var _ Source = (*Files)(nil)

// ReadFiles reads a file, or those of a folder whose names end with .sql, in the
// order of their names. It refuses what would leave the transaction or the schema
// in which it runs, of all files at once; template is the schema that they must not
// name.
func ReadFiles(path, template string) (*Files, error) {
	f, err := readFolder(path)
	if err != nil {
		return nil, err
	}
	var all error
	for _, m := range f.migrations {
		all = errors.Join(all, inspect(m.Name, f.texts[m.Name], template))
	}
	return f, all
}

func readFolder(path string) (*Files, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	names := []string{path}
	if info.IsDir() {
		entries, err := os.ReadDir(path) // sorted
		if err != nil {
			return nil, err
		}
		names = nil
		for _, e := range entries {
			if filepath.Ext(e.Name()) == ".sql" && !e.IsDir() {
				names = append(names, filepath.Join(path, e.Name()))
			}
		}
	}
	if len(names) == 0 {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("the folder holds no file that ends with .sql")}
	}
	f := &Files{texts: map[string]string{}}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		m := schemas.Migration{Name: filepath.Base(name), Checksum: hex.EncodeToString(sum[:])}
		text := strings.TrimPrefix(string(data), "\ufeff")
		switch {
		case !utf8.ValidString(text):
			return nil, fmt.Errorf("%s: the file is not in UTF-8", name)
		case strings.Contains(text, "\x00"):
			return nil, fmt.Errorf("%s: the file holds a zero byte", name)
		}
		f.migrations = append(f.migrations, m)
		f.texts[m.Name] = text
	}
	return f, nil
}

// Migrations returns the files.
func (f *Files) Migrations() []schemas.Migration { return f.migrations }

// Run sends each file as a whole.
func (f *Files) Run(ctx context.Context, conn *pgx.Conn, _ Schema, pending []schemas.Migration) error {
	for _, m := range pending {
		if completed, err := send(ctx, conn, f.texts[m.Name]); err != nil {
			return locate(m.Name, f.texts[m.Name], completed, err)
		}
	}
	return nil
}

// send runs several statements, and returns how many of them were completed.
func send(ctx context.Context, conn *pgx.Conn, sql string) (completed int, err error) {
	results := conn.PgConn().Exec(ctx, sql)
	for results.NextResult() {
		if _, err := results.ResultReader().Close(); err == nil {
			completed++
		}
	}
	return completed, results.Close()
}

// locate returns the error of a file's statement with its place: that which the
// server names, or the beginning of the statement.
func locate(file, text string, completed int, err error) *Error {
	if p := (*pgconn.PgError)(nil); errors.As(err, &p) && p.Position > 0 {
		line, column := lineColumn(text, runeOffset(text, int(p.Position)-1))
		return &Error{File: file, Line: line, Column: column, Err: err}
	}
	if all := statements(text); completed < len(all) {
		s := all[completed]
		return s.at(file, s.begin(), err)
	}
	return &Error{File: file, Err: err}
}

// runeOffset returns where a character of text begins, in bytes.
func runeOffset(text string, characters int) int {
	for offset := range text {
		if characters == 0 {
			return offset
		}
		characters--
	}
	return len(text)
}

func lineColumn(text string, offset int) (line, column int) {
	before := text[:offset]
	line = 1 + strings.Count(before, "\n")
	return line, 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
}
