package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSchemaDump moves a schema through a file to another value.
func TestSchemaDump(t *testing.T) {
	database(t, `CREATE TABLE tenant (slug text PRIMARY KEY); INSERT INTO tenant VALUES ('acme');
		CREATE SCHEMA t__template; CREATE TABLE t__template.invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int UNIQUE);
		CREATE SCHEMA t_acme; CREATE TABLE t_acme.invoice (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int UNIQUE);
		INSERT INTO t_acme.invoice (number) VALUES (7), (8)`)
	folder := t.TempDir()
	var all strings.Builder
	schema := func(args ...string) {
		for i, arg := range args {
			args[i] = strings.Replace(arg, "FOLDER", folder, 1)
		}
		text := transcript(append([]string{"schema"}, append(args, "--policy", schemaPolicy)...), "")
		all.WriteString(strings.ReplaceAll(text, folder, "folder"))
	}
	schema("dump", "acme", "--file", "FOLDER/acme.zip")
	schema("load", "globex", "--file", "FOLDER/acme.zip")
	schema("diff")
	schema("load", "globex", "--file", "FOLDER/acme.zip")
	schema("load", "_template", "--file", "FOLDER/acme.zip")
	schema("load", "initech", "--file", schemaPolicy)
	schema("load", "initech")
	schema("load", "initech", "--file", "FOLDER/none.zip")
	schema("dump", "_template", "--file", "FOLDER/template.zip")
	schema("dump", "nobody", "--file", "FOLDER/nobody.zip")
	schema("dump", "acme")
	schema("dump")
	schema("dump", "--schema", "t_acme", "--file", "FOLDER/acme.zip")
	schema("load", "--schema", "t_umbrella", "--file", "FOLDER/acme.zip")
	schema("load", "--schema", "t__template", "--file", "FOLDER/acme.zip")
	schema("load", "--schema", "umbrella", "--file", "FOLDER/acme.zip")
	schema("load", "--schema", "", "--file", "FOLDER/acme.zip")
	schema("load", "umbrella", "--schema", "t_umbrella", "--file", "FOLDER/acme.zip")
	schema("list")
	compare(t, "schema_dump", all.String())

	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		t.Fatalf("the folder holds %v, %v", files, err)
	}
	if info, err := os.Stat(filepath.Join(folder, "acme.zip")); err != nil || info.Mode() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}
}
