package main

import (
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// The sizes of schema.sql.
const (
	sites           = 1000
	posts           = 50 * sites
	commentsOfAPost = 4
)

// postOf returns the i-th post of a site, and commentOf a comment below it.
func postOf(site, i int) int64 { return int64(i%(posts/sites)*sites + site) }

func commentOf(site, i int) int64 {
	return int64(i/7%commentsOfAPost)*posts + postOf(site, i)
}

// An operation is a statement as the program has it, and what other programs
// write in its place. The name v0 in a text is that which varies where each text
// is to be new.
type operation struct {
	program string
	byHand  string // takes the site behind the program's arguments; the same text where that has the site anyway
	args    func(site, i int) []any
	byKey   bool // names one row by its key
	writes  bool // and returns no rows but their number
	copies  bool // rows, with COPY instead of the texts

	// withGORM is what a program with GORM does. The site's filter is a scope, to
	// be passed to Scopes.
	withGORM func(db *gorm.DB, site int, ofSite scopeOf, args []any) (rows, error)

	// state reads what was written, for the comparison of the arms, and reset
	// takes it back.
	state, reset string
}

type rows [][]any

// A scopeOf returns GORM's scope that filters a table by its column.
type scopeOf func(column string) func(*gorm.DB) *gorm.DB

// A workload is a sequence of operations, over and over.
type workload struct {
	name       string
	operations []*operation
	slow       bool // an operation takes milliseconds
}

func (w *workload) operation(i int) *operation { return w.operations[i%len(w.operations)] }

var workloads = []*workload{
	{name: "point read", operations: []*operation{pointRead}},
	{name: "3-join read", operations: []*operation{joinRead}},
	{name: "path read", operations: []*operation{pathRead}},
	{name: "insert", operations: []*operation{insert}},
	{name: "update", operations: []*operation{update}},
	{name: "mixed 80/20", operations: []*operation{pointRead, pointRead, pointRead, pointRead, update}},
	{name: "bulk insert", operations: []*operation{bulkInsert}, slow: true},
	{name: "bulk insert, filled", operations: []*operation{bulkFilled}, slow: true},
	{name: "bulk insert, path", operations: []*operation{bulkPath}, slow: true},
	{name: "bulk copy", operations: []*operation{bulkCopy}, slow: true},
}

// GORM's models.
type (
	post struct {
		ID    int64
		Title string
		Views int64
	}
	comment struct {
		ID   int64
		Body string
	}
	note struct {
		ID     int64 `gorm:"->"`
		SiteID int64
		PostID int64
		Body   string
	}
	remark struct {
		ID     int64 `gorm:"->"`
		PostID int64
		Body   string
	}
)

func (post) TableName() string    { return "post" }
func (comment) TableName() string { return "comment" }
func (note) TableName() string    { return "note" }
func (remark) TableName() string  { return "remark" }

var pointRead = &operation{
	program: "SELECT title AS v0 FROM post WHERE id = $1",
	byHand:  "SELECT title AS v0 FROM post WHERE id = $1 AND site_id = $2",
	args:    func(site, i int) []any { return []any{postOf(site, i)} },
	byKey:   true,
	withGORM: func(db *gorm.DB, _ int, ofSite scopeOf, args []any) (rows, error) {
		var found []post
		err := db.Select("title").Scopes(ofSite("site_id")).Find(&found, args[0]).Error
		r := make(rows, len(found))
		for i, p := range found {
			r[i] = []any{p.Title}
		}
		return r, err
	},
}

// The expert filters each table by which a row of another site could come in,
// and no other: a comment is of its post's site, and so is the site.
var joinRead = &operation{
	program: "SELECT p.title AS v0, a.name, s.name, c.body FROM post p JOIN author a ON a.id = p.author_id " +
		"JOIN site s ON s.id = p.site_id JOIN comment c ON c.post_id = p.id WHERE p.id = $1 ORDER BY c.id",
	byHand: "SELECT p.title AS v0, a.name, s.name, c.body FROM post p JOIN author a ON a.id = p.author_id AND a.site_id = $2 " +
		"JOIN site s ON s.id = p.site_id JOIN comment c ON c.post_id = p.id WHERE p.id = $1 AND p.site_id = $2 ORDER BY c.id",
	args: func(site, i int) []any { return []any{postOf(site, i)} },
	withGORM: func(db *gorm.DB, _ int, ofSite scopeOf, args []any) (rows, error) {
		var found []struct{ Title, Author, Site, Body string }
		err := db.Table("post p").Select("p.title, a.name AS author, s.name AS site, c.body").
			Joins("JOIN author a ON a.id = p.author_id").Joins("JOIN site s ON s.id = p.site_id").
			Joins("JOIN comment c ON c.post_id = p.id").Where("p.id = ?", args[0]).
			Scopes(ofSite("p.site_id"), ofSite("a.site_id")).Order("c.id").Find(&found).Error
		r := make(rows, len(found))
		for i, f := range found {
			r[i] = []any{f.Title, f.Author, f.Site, f.Body}
		}
		return r, err
	},
}

var pathRead = &operation{
	program: "SELECT body AS v0 FROM comment WHERE id = $1",
	byHand:  "SELECT c.body AS v0 FROM comment c JOIN post p ON p.id = c.post_id WHERE c.id = $1 AND p.site_id = $2",
	args:    func(site, i int) []any { return []any{commentOf(site, i)} },
	byKey:   true,
	withGORM: func(db *gorm.DB, _ int, ofSite scopeOf, args []any) (rows, error) {
		var found []comment
		err := db.Select("comment.body").Joins("JOIN post p ON p.id = comment.post_id").
			Scopes(ofSite("p.site_id")).Find(&found, "comment.id = ?", args[0]).Error
		r := make(rows, len(found))
		for i, c := range found {
			r[i] = []any{c.Body}
		}
		return r, err
	},
}

const (
	stateOfNotes   = "SELECT site_id, post_id, body FROM note ORDER BY id"
	resetNotes     = "TRUNCATE note"
	stateOfRemarks = "SELECT post_id, body FROM remark ORDER BY id"
	resetRemarks   = "TRUNCATE remark"
)

var insert = &operation{
	program: "INSERT INTO note AS v0 (post_id, body) VALUES ($1, $2)",
	byHand:  "INSERT INTO note AS v0 (post_id, body, site_id) VALUES ($1, $2, $3)",
	args:    func(site, i int) []any { return []any{postOf(site, i), aBody} },
	writes:  true,
	withGORM: func(db *gorm.DB, site int, _ scopeOf, args []any) (rows, error) {
		done := db.Create(&note{SiteID: int64(site), PostID: args[0].(int64), Body: args[1].(string)})
		return rows{{done.RowsAffected}}, done.Error
	},
	state: stateOfNotes, reset: resetNotes,
}

var update = &operation{
	program: "UPDATE post AS v0 SET views = $2 WHERE id = $1",
	byHand:  "UPDATE post AS v0 SET views = $2 WHERE id = $1 AND site_id = $3",
	args:    func(site, i int) []any { return []any{postOf(site, i), int64(i%1000 + 1)} },
	byKey:   true,
	writes:  true,
	withGORM: func(db *gorm.DB, _ int, ofSite scopeOf, args []any) (rows, error) {
		done := db.Model(&post{}).Scopes(ofSite("site_id")).Where("id = ?", args[0]).Update("views", args[1])
		return rows{{done.RowsAffected}}, done.Error
	},
	state: "SELECT id, views FROM post WHERE views <> 0 ORDER BY id",
	reset: "UPDATE post SET views = 0 WHERE views <> 0",
}

const bulkRows = 1000

// values returns a VALUES list of bulkRows rows of that many parameters, with the
// one that follows them all at the end of each row if it has a site.
func values(columns int, site bool) string {
	list := make([]string, bulkRows)
	for row := range list {
		var b strings.Builder
		for column := range columns {
			fmt.Fprintf(&b, ", $%d", row*columns+column+1)
		}
		if site {
			fmt.Fprintf(&b, ", $%d", bulkRows*columns+1)
		}
		list[row] = "(" + b.String()[2:] + ")"
	}
	return "VALUES " + strings.Join(list, ", ")
}

const aBody = "a note that is some 40 characters long"

// bulkPosts returns the arguments of such a list, a post and a body in each row.
func bulkPosts(site, i int) []any {
	args := make([]any, 0, 2*bulkRows+1)
	for row := range bulkRows {
		args = append(args, postOf(site, i+row), aBody)
	}
	return args
}

// bulkNotes is bulkPosts with the site in front of each row.
func bulkNotes(site, i int) []any {
	args := make([]any, 0, 3*bulkRows)
	for row := range bulkRows {
		args = append(args, int64(site), postOf(site, i+row), aBody)
	}
	return args
}

// Each row has its site, so that one of another site must fail: scoped checks
// them, and the expert relies on the values.
var bulkInsert = &operation{
	program: "INSERT INTO note AS v0 (site_id, post_id, body) " + values(3, false),
	byHand:  "INSERT INTO note AS v0 (site_id, post_id, body) " + values(3, false),
	args:    bulkNotes,
	writes:  true,
	withGORM: func(db *gorm.DB, _ int, _ scopeOf, args []any) (rows, error) {
		notes := make([]note, 0, bulkRows)
		for row := range slices.Chunk(args, 3) {
			notes = append(notes, note{SiteID: row[0].(int64), PostID: row[1].(int64), Body: row[2].(string)})
		}
		done := db.Create(notes)
		return rows{{done.RowsAffected}}, done.Error
	},
	state: stateOfNotes, reset: resetNotes,
}

// Here scoped puts the site into each row, and the expert does.
var bulkFilled = &operation{
	program: "INSERT INTO note AS v0 (post_id, body) " + values(2, false),
	byHand:  "INSERT INTO note AS v0 (post_id, body, site_id) " + values(2, true),
	args:    bulkPosts,
	writes:  true,
	state:   stateOfNotes, reset: resetNotes,
}

// Rows that belong to a site through their post: scoped has the server look up
// each post, and the expert relies on the values.
var bulkPath = &operation{
	program: "INSERT INTO remark AS v0 (post_id, body) " + values(2, false),
	byHand:  "INSERT INTO remark AS v0 (post_id, body) " + values(2, false),
	args:    bulkPosts,
	writes:  true,
	withGORM: func(db *gorm.DB, _ int, _ scopeOf, args []any) (rows, error) {
		remarks := make([]remark, 0, bulkRows)
		for row := range slices.Chunk(args, 2) {
			remarks = append(remarks, remark{PostID: row[0].(int64), Body: row[1].(string)})
		}
		done := db.Create(remarks)
		return rows{{done.RowsAffected}}, done.Error
	},
	state: stateOfRemarks, reset: resetRemarks,
}

// The rows of bulkInsert by pgx's CopyFrom, and by scoped's, which checks them.
var bulkCopy = &operation{
	args:   bulkNotes,
	writes: true,
	copies: true,
	state:  stateOfNotes, reset: resetNotes,
}
