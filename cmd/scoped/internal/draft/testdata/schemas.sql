-- A schema for each tenant, a template, and what lives once.
CREATE TABLE country (code text PRIMARY KEY);
CREATE TABLE tenant (id bigint PRIMARY KEY, slug text NOT NULL UNIQUE);
INSERT INTO tenant VALUES (1, 'acme'), (2, 'globex'), (3, 'O''Neil'), (4, 'initech'), (5, 'not yet');
CREATE TABLE subscription (tenant text PRIMARY KEY REFERENCES tenant (slug), plan text NOT NULL);
INSERT INTO subscription SELECT slug, 'free' FROM tenant;
CREATE TABLE account (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenant, email text);
CREATE TABLE word (text text PRIMARY KEY);
INSERT INTO word SELECT slug FROM tenant;
INSERT INTO word VALUES ('the'), ('quick');
DO $do$
DECLARE s text;
BEGIN
  FOREACH s IN ARRAY ARRAY['t__template', 't_acme', 't_globex', 't_O''Neil', 't_initech'] LOOP
    EXECUTE format('CREATE SCHEMA %I', s);
    EXECUTE format('SET LOCAL search_path = %I, public', s);
    CREATE TYPE invoice_status AS ENUM ('open', 'paid');
    CREATE SEQUENCE ticket_number;
    CREATE TABLE invoice (id bigserial PRIMARY KEY, country text REFERENCES public.country, account_id bigint NOT NULL REFERENCES public.account,
      status invoice_status NOT NULL DEFAULT 'open');
    CREATE TABLE log (at date NOT NULL, line text) PARTITION BY RANGE (at);
    CREATE TABLE log_2026 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE VIEW paid AS SELECT id, country FROM invoice WHERE status = 'paid';
    EXECUTE format('CREATE FUNCTION next_ticket() RETURNS bigint LANGUAGE sql SET search_path = %I AS $$ SELECT nextval(''ticket_number'') $$', s);
    IF s <> 't_initech' THEN -- which waits for a migration
      CREATE TABLE line (id bigserial PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES invoice, amount int);
    END IF;
  END LOOP;
END $do$;
SET search_path = public;
CREATE TABLE t_acme.note (id bigint PRIMARY KEY);
CREATE SCHEMA t_empty;
CREATE SCHEMA t_stats;
CREATE TABLE t_stats.visit (day date PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenant);
CREATE TABLE t_stats.host (name text PRIMARY KEY);
CREATE TABLE featured (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenant, invoice_id bigint REFERENCES t_acme.invoice);
CREATE TABLE astray (id bigint PRIMARY KEY, invoice_id bigint REFERENCES t__template.invoice);
CREATE VIEW acme_invoices AS SELECT id FROM t_acme.invoice;
CREATE VIEW template_invoices AS SELECT id FROM t__template.invoice;
CREATE TABLE line (id bigint PRIMARY KEY, tenant_id bigint NOT NULL REFERENCES tenant);
