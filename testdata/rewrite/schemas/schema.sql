-- Two tenants, acme and "O'Neil", and what lives once.
CREATE TABLE tenant (id text PRIMARY KEY);
INSERT INTO tenant VALUES ('acme'), ('O''Neil');
CREATE TABLE country (code text PRIMARY KEY);
INSERT INTO country VALUES ('ch'), ('no');
CREATE TABLE site (id bigint PRIMARY KEY, name text);
INSERT INTO site VALUES (1, 'one'), (2, 'two');
CREATE TABLE usage (id bigint PRIMARY KEY, tenant_id text NOT NULL, calls int);
INSERT INTO usage VALUES (1, 'acme', 10), (2, 'O''Neil', 20);
CREATE FUNCTION slugify(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lower($1) $$;
DO $do$
DECLARE s text;
BEGIN
  FOREACH s IN ARRAY ARRAY['t__template', 't_acme', 't_O''Neil'] LOOP
    EXECUTE format('CREATE SCHEMA %I', s);
    EXECUTE format('SET LOCAL search_path = %I, public', s);
    CREATE TYPE invoice_status AS ENUM ('open', 'paid');
    CREATE SEQUENCE ticket_number;
    CREATE TABLE invoice (id bigserial PRIMARY KEY, country text REFERENCES public.country, status invoice_status NOT NULL DEFAULT 'open', total int);
    CREATE TABLE invoice_line (id bigserial PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES invoice, site_id bigint NOT NULL, amount text);
    CREATE TABLE line_note (id bigint PRIMARY KEY, line_id bigint REFERENCES invoice_line, body text);
    CREATE TABLE "Archive" (id bigint PRIMARY KEY, deleted_at date);
    CREATE TABLE log_access (id bigint, at text);
    CREATE TABLE secret (id bigint);
    CREATE VIEW paid_invoice AS SELECT id, total FROM invoice WHERE status = 'paid';
    EXECUTE format('CREATE FUNCTION next_number() RETURNS bigint LANGUAGE sql SET search_path = %I AS $$ SELECT nextval(''ticket_number'') $$', s);
    IF s = 't__template' THEN CONTINUE; END IF;
    INSERT INTO invoice (country, status, total) VALUES ('ch', 'open', length(s)), ('no', 'paid', 2);
    INSERT INTO invoice_line (invoice_id, site_id, amount) VALUES (1, 1, '1'), (1, 2, s), (2, 1, '2'), (2, 2, s);
    INSERT INTO line_note VALUES (1, 1, 'mine'), (2, 2, s);
    INSERT INTO "Archive" VALUES (1, NULL), (2, '2020-01-01');
    INSERT INTO log_access VALUES (1, s);
  END LOOP;
END $do$;
SET search_path = public;
