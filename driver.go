package scoped

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scoped-pgx/scoped/catalog"
	"github.com/scoped-pgx/scoped/policy"
)

// DriverName is the name under which the driver is registered.
const DriverName = "scoped-pgx"

// connectTimeout bounds a connection made without a context, as pgx does.
const connectTimeout = 60 * time.Second

func init() {
	sql.Register(DriverName, sqlDriver{})
}

var (
	_ driver.Driver        = sqlDriver{}
	_ driver.DriverContext = sqlDriver{}
)

// sqlDriver opens connections of pgx's own driver and guards them.
type sqlDriver struct{}

// Open connects. database/sql does not call it, because there is OpenConnector.
func (sqlDriver) Open(name string) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	c, err := OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx)
}

// OpenConnector is the package's.
func (sqlDriver) OpenConnector(name string) (driver.Connector, error) { return OpenConnector(name) }

// OpenConnector is sql.Open for a program that keeps the connector, to replace
// its policy:
//
//	c, err := scoped.OpenConnector("postgres://localhost/blog?scope_policy=policy.yaml")
//	…
//	db := sql.OpenDB(c)
//	…
//	err = c.SetPolicy(p)
//
// It reads the data source name and loads the policy, and the catalogue and the
// statements if these are files, once for all connections. What is wrong with these is an Error of
// CodeConfig.
func OpenConnector(name string) (Connector, error) {
	name, parameters, err := splitDSN(name)
	if err != nil {
		return nil, err
	}
	p, err := policy.Load(parameters.policy)
	if err != nil {
		return nil, configError("the policy "+parameters.policy+" cannot be used: "+err.Error(), "", err)
	}
	var opts []Option
	switch parameters.catalog {
	case "":
	case fromServer:
		opts = append(opts, WithServerCatalog())
	default:
		c, err := catalog.Load(parameters.catalog)
		if err != nil {
			return nil, configError("the catalogue "+parameters.catalog+" cannot be used: "+err.Error(), "", err)
		}
		opts = append(opts, WithCatalog(c))
	}
	if parameters.warm != "" {
		opts = append(opts, WithWarmFile(parameters.warm))
	}
	base, err := stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(name)
	if err != nil {
		return nil, err
	}
	e := newEngine(p, opts)
	if err := e.check(); err != nil {
		return nil, err
	}
	return &connector{base: base, engine: e}, nil
}
