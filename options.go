package scoped

import (
	"log/slog"

	"github.com/scoped-pgx/scoped/catalog"
)

// defaultCacheSize bounds the cache of rewrites where WithCacheSize does not:
// some tens of thousands of statements of the usual size.
const defaultCacheSize = 64 << 20

// An Option changes what NewConnector or Pool returns.
type Option func(*engine)

// WithLogger sets where the reasons of Disable are logged, once for each call of
// Disable, at level Info, and the answers of WithAllowScope. Each record has the
// scope, as those of LogHandler have. The default is slog.Default.
func WithLogger(logger *slog.Logger) Option {
	return func(e *engine) { e.logger = logger }
}

// WithCacheSize bounds the memory of the cache of rewrites and refusals, in bytes.
// The default is 64 MiB. A text longer than an eighth of the bound is not cached.
// Each connection keeps up to 64 entries at hand, of texts up to 4 KiB. Zero turns
// the cache off, and so every statement is parsed whenever it runs.
func WithCacheSize(bytes int) Option {
	return func(e *engine) { e.cacheSize = bytes }
}

// WithCatalog gives the catalogue of the database's tables, with which some
// statements are accepted that would be refused otherwise, and calls of functions
// in the form of columns are refused. A policy with tables that it lacks, or has
// in another form, is an Error of CodeConfig on connecting. The connector keeps to
// the catalogue: after a change of the schema, make another one. The default is
// none.
func WithCatalog(c *catalog.Catalog) Option {
	return func(e *engine) { e.catalog, e.askServer = c, false }
}

// WithServerCatalog is WithCatalog with the catalogue of the server, which is
// asked for it once, by one query on the first connection, around the guard. If
// that fails so does the connection, with an Error of CodeConfig.
func WithServerCatalog() Option {
	return func(e *engine) { e.catalog, e.askServer = nil, true }
}
