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
func (d sqlDriver) Open(name string) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	c, err := d.OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return c.Connect(ctx)
}

// OpenConnector reads the data source name and loads the policy, and the catalogue
// if it is a file, once for all connections of the sql.DB.
func (d sqlDriver) OpenConnector(name string) (driver.Connector, error) {
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
	base, err := stdlib.GetDefaultDriver().(driver.DriverContext).OpenConnector(name)
	if err != nil {
		return nil, err
	}
	return NewConnector(base, p, opts...), nil
}
