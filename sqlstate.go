package scoped

import (
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// hideValues returns an error of the server without what may be the value of a
// row. Messages are translated, so nothing is looked for in them: one that may
// quote a value is replaced, and of the fields those are kept that name what
// the schema and the server's source name. The original is not in the chain of
// what is returned.
//
// A message with a place in the statement is about its text: PostgreSQL gives
// places while it analyses a statement, and evaluates only literals then. (The
// executor gives one for set-returning functions alone.)
func hideValues(err error) error {
	var coded interface {
		error
		SQLState() string
	}
	if !errors.As(err, &coded) {
		return err
	}
	code := coded.SQLState()
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if !strings.HasPrefix(code, dataException) {
			return err
		}
		e = &pgconn.PgError{Severity: "ERROR", SeverityUnlocalized: "ERROR", Code: code}
	}
	switch {
	case code == exclusionViolation:
		kept := *e
		kept.Detail = "" // the key of the row that stands in the way
		return &kept
	case e.Position > 0:
		return err
	case !strings.HasPrefix(code, dataException) && (!quotesValues[code] || e.InternalPosition > 0):
		return err
	}
	condition := conditions[code]
	if condition == "" {
		condition = "data exception"
	}
	return &pgconn.PgError{
		Severity:            e.Severity,
		SeverityUnlocalized: e.SeverityUnlocalized,
		Code:                code,
		Message:             condition + "; values are hidden",
		Hint:                "errors: {values: shown} in the policy passes the server's own message on, and so does scoped.Disable(ctx, reason)",
		SchemaName:          e.SchemaName,
		TableName:           e.TableName,
		ColumnName:          e.ColumnName,
		DataTypeName:        e.DataTypeName,
		ConstraintName:      e.ConstraintName,
		File:                e.File,
		Line:                e.Line,
		Routine:             e.Routine,
	}
}

const (
	// dataException is the class of the errors about values.
	dataException = "22"
	// exclusionViolation is the one violation of a constraint whose detail
	// quotes a row that the statement did not write.
	exclusionViolation = "23P01"
	// syntaxError is the SQLSTATE of what does not parse.
	syntaxError = "42601"
	// invalidTextRepresentation is the SQLSTATE of a failed cast from text.
	invalidTextRepresentation = "22P02"
)

// quotesValues are the codes under which the input functions of types quote a
// value that names something, as those of regclass do, or that is a text in a
// language of its own, as those of jsonpath and tsquery do.
var quotesValues = map[string]bool{
	"3D000": true, "3F000": true, "42601": true, "42602": true, "42703": true,
	"42704": true, "42725": true, "42883": true, "42P01": true,
}

// conditions are the names of the errors that may quote a value, as those of
// https://www.postgresql.org/docs/18/errcodes-appendix.html.
var conditions = map[string]string{
	"22000": "data exception",
	"22001": "string data right truncation",
	"22002": "null value no indicator parameter",
	"22003": "numeric value out of range",
	"22004": "null value not allowed",
	"22005": "error in assignment",
	"22007": "invalid datetime format",
	"22008": "datetime field overflow",
	"22009": "invalid time zone displacement value",
	"2200B": "escape character conflict",
	"2200C": "invalid use of escape character",
	"2200D": "invalid escape octet",
	"2200F": "zero length character string",
	"2200G": "most specific type mismatch",
	"2200H": "sequence generator limit exceeded",
	"2200L": "not an xml document",
	"2200M": "invalid xml document",
	"2200N": "invalid xml content",
	"2200S": "invalid xml comment",
	"2200T": "invalid xml processing instruction",
	"22010": "invalid indicator parameter value",
	"22011": "substring error",
	"22012": "division by zero",
	"22013": "invalid preceding or following size",
	"22014": "invalid argument for ntile function",
	"22015": "interval field overflow",
	"22016": "invalid argument for nth value function",
	"22018": "invalid character value for cast",
	"22019": "invalid escape character",
	"2201B": "invalid regular expression",
	"2201E": "invalid argument for logarithm",
	"2201F": "invalid argument for power function",
	"2201G": "invalid argument for width bucket function",
	"2201W": "invalid row count in limit clause",
	"2201X": "invalid row count in result offset clause",
	"22021": "character not in repertoire",
	"22022": "indicator overflow",
	"22023": "invalid parameter value",
	"22024": "unterminated c string",
	"22025": "invalid escape sequence",
	"22026": "string data length mismatch",
	"22027": "trim error",
	"2202E": "array subscript error",
	"2202G": "invalid tablesample repeat",
	"2202H": "invalid tablesample argument",
	"22030": "duplicate json object key value",
	"22031": "invalid argument for sql json datetime function",
	"22032": "invalid json text",
	"22033": "invalid sql json subscript",
	"22034": "more than one sql json item",
	"22035": "no sql json item",
	"22036": "non numeric sql json item",
	"22037": "non unique keys in a json object",
	"22038": "singleton sql json item required",
	"22039": "sql json array not found",
	"2203A": "sql json member not found",
	"2203B": "sql json number not found",
	"2203C": "sql json object not found",
	"2203D": "too many json array elements",
	"2203E": "too many json object members",
	"2203F": "sql json scalar required",
	"2203G": "sql json item cannot be cast to target type",
	"22P01": "floating point exception",
	"22P02": "invalid text representation",
	"22P03": "invalid binary representation",
	"22P04": "bad copy file format",
	"22P05": "untranslatable character",
	"22P06": "nonstandard use of escape character",
	"3D000": "invalid catalog name",
	"3F000": "invalid schema name",
	"42601": "syntax error",
	"42602": "invalid name",
	"42703": "undefined column",
	"42704": "undefined object",
	"42725": "ambiguous function",
	"42883": "undefined function",
	"42P01": "undefined table",
}
