-- A template with at least one object of every kind that is copied.
CREATE SCHEMA t__template;
COMMENT ON SCHEMA t__template IS 'from which others are made: SCHEMA {schema}';
GRANT USAGE ON SCHEMA t__template TO scoped_clerk;
GRANT USAGE, CREATE ON SCHEMA t__template TO "scoped ""Owner""" WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA t__template GRANT SELECT ON TABLES TO scoped_clerk;
ALTER DEFAULT PRIVILEGES IN SCHEMA t__template GRANT USAGE ON SEQUENCES TO PUBLIC;
SET search_path = t__template, public;

-- Types
CREATE TYPE status AS ENUM ('draft', 'sent', 'it''s paid', 't__template');
COMMENT ON TYPE status IS 'of an invoice';
CREATE TYPE address AS (street text COLLATE "C", "zip code" varchar(10), colour public.colour);
COMMENT ON COLUMN address.street IS 'with its number';
CREATE FUNCTION is_code(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1 ~ '^[A-Z]+$' $$;
CREATE DOMAIN code AS text COLLATE "C" DEFAULT 'A' NOT NULL CONSTRAINT is_code CHECK (is_code(VALUE));
COMMENT ON CONSTRAINT is_code ON DOMAIN code IS 'capitals only';
CREATE DOMAIN amount AS numeric(12, 2);
ALTER DOMAIN amount ADD CONSTRAINT positive CHECK (VALUE >= 0) NOT VALID;
REVOKE USAGE ON DOMAIN amount FROM PUBLIC;
CREATE FUNCTION days(date, date) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$ SELECT ($1 - $2)::double precision $$;
CREATE TYPE period AS RANGE (SUBTYPE = date, SUBTYPE_DIFF = days, MULTIRANGE_TYPE_NAME = periods);
CREATE TYPE line AS (n integer, statuses status[], during period); -- hides one of PostgreSQL's own

-- Sequences
CREATE SEQUENCE ticket AS smallint START WITH 5 INCREMENT BY 5 MINVALUE 5 MAXVALUE 500 CACHE 3 CYCLE;
SELECT nextval('ticket');
GRANT USAGE ON SEQUENCE ticket TO scoped_clerk;
COMMENT ON SEQUENCE ticket IS 'of the queue';

-- Functions
CREATE FUNCTION next_ticket(prefix text DEFAULT 'it''s ' || (1 + 1)::text, VARIADIC rest integer[] DEFAULT '{}') RETURNS text
  LANGUAGE plpgsql SECURITY DEFINER STRICT COST 7 PARALLEL RESTRICTED SET search_path = t__template, pg_temp SET work_mem = '1MB'
  AS $$ BEGIN RETURN prefix || nextval('ticket'); END $$;
COMMENT ON FUNCTION next_ticket IS 'draws one';
REVOKE EXECUTE ON FUNCTION next_ticket FROM PUBLIC;
GRANT EXECUTE ON FUNCTION next_ticket TO scoped_clerk WITH GRANT OPTION;
CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 $$; -- hides one of PostgreSQL's own
CREATE FUNCTION twice(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1 * 2;
CREATE FUNCTION twice(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1 || $1;
CREATE PROCEDURE tidy(INOUT n integer) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM invoice WHERE total < n; END $$;
CREATE FUNCTION add_amount(state numeric, next amount) RETURNS numeric LANGUAGE sql IMMUTABLE AS 'SELECT state + next';
CREATE AGGREGATE total(amount) (SFUNC = add_amount, STYPE = numeric, INITCOND = '0', PARALLEL = SAFE);
COMMENT ON AGGREGATE total(amount) IS 'of amounts';
CREATE AGGREGATE middle(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE product(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = 1, MSFUNC = int4mul, MINVFUNC = int4div, MSTYPE = integer, MINITCOND = 1);
CREATE FUNCTION earlier(status, status) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text < $2::text $$;
CREATE FUNCTION later(status, status) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT $1::text > $2::text $$;
CREATE OPERATOR <<< (FUNCTION = earlier, LEFTARG = status, RIGHTARG = status, COMMUTATOR = >>>, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE OPERATOR >>> (FUNCTION = later, LEFTARG = status, RIGHTARG = status, COMMUTATOR = <<<);
COMMENT ON OPERATOR <<< (status, status) IS 'by name';

-- Tables
CREATE TABLE customer (
  id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 10 CACHE 5) PRIMARY KEY,
  "the name" text COLLATE "C" NOT NULL DEFAULT 'o''neill',
  code code,
  address address,
  colour public.colour DEFAULT 'red',
  account_id bigint REFERENCES public.account ON DELETE SET NULL,
  gone text,
  born date DEFAULT '2020-01-31',
  CONSTRAINT named CHECK ("the name" <> '') NO INHERIT,
  UNIQUE ("the name", code) DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
ALTER TABLE customer DROP COLUMN gone;
COMMENT ON TABLE customer IS 'who is sent invoices';
COMMENT ON COLUMN customer."the name" IS 'as it''s written';
COMMENT ON CONSTRAINT named ON customer IS 'not empty';
COMMENT ON INDEX customer_pkey IS 'the key''s';
GRANT SELECT, INSERT ON customer TO scoped_clerk;
GRANT UPDATE ("the name", born) ON customer TO scoped_clerk WITH GRANT OPTION;
ALTER TABLE customer OWNER TO "scoped ""Owner""";
ALTER TABLE customer ALTER COLUMN "the name" SET STORAGE EXTERNAL, ALTER COLUMN "the name" SET STATISTICS 7, ALTER COLUMN code SET (n_distinct = 5);

CREATE TABLE invoice (
  id serial,
  number text NOT NULL DEFAULT next_ticket('I'),
  customer_id bigint NOT NULL,
  status status NOT NULL DEFAULT 'draft',
  during period,
  total amount,
  doubled numeric GENERATED ALWAYS AS (total * 2) STORED,
  loud text GENERATED ALWAYS AS (public.shout(twice('x'::text))) STORED,
  body text COMPRESSION pglz,
  parent integer,
  CONSTRAINT "invoice key" PRIMARY KEY (id) INCLUDE (number) WITH (fillfactor = 60),
  CONSTRAINT apart EXCLUDE USING gist (during WITH &&) WHERE (status <> 'draft')
);
ALTER TABLE invoice ADD CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customer ON UPDATE CASCADE DEFERRABLE;
ALTER TABLE invoice ADD CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES invoice NOT VALID;
ALTER TABLE invoice ADD CONSTRAINT small CHECK (total < 1000000 AND twice(1) = 2) NOT VALID;
ALTER TABLE invoice CLUSTER ON "invoice key";
CREATE UNIQUE INDEX invoice_number ON invoice (number COLLATE "C" text_pattern_ops DESC NULLS LAST) INCLUDE (total) WITH (fillfactor = 50) WHERE status <> 'draft';
CREATE INDEX invoice_loud ON invoice (twice(body), lower(body)) WHERE public.shout(body) OPERATOR(public.===) 'X';
ALTER INDEX invoice_loud ALTER COLUMN 1 SET STATISTICS 50;
COMMENT ON INDEX invoice_loud IS 'for searches';
CREATE UNIQUE INDEX invoice_identity ON invoice (number, customer_id);
ALTER TABLE invoice REPLICA IDENTITY USING INDEX invoice_identity;
CREATE STATISTICS together (dependencies, mcv) ON customer_id, status FROM invoice;
ALTER STATISTICS together SET STATISTICS 30;
COMMENT ON STATISTICS together IS 'they are';
CREATE UNLOGGED TABLE cache (key text PRIMARY KEY, value jsonb, n smallint GENERATED BY DEFAULT AS IDENTITY);
GRANT USAGE ON SEQUENCE cache_n_seq TO scoped_clerk;
ALTER TABLE cache REPLICA IDENTITY FULL;
CREATE TABLE empty ();

-- Partitions, two levels deep, with keys that lead to and from them
CREATE TABLE event (id bigint NOT NULL, at date NOT NULL, kind text DEFAULT 'k', PRIMARY KEY (at, id), CHECK (id > 0)) PARTITION BY RANGE (at);
CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO ('2020-01-01');
CREATE TABLE event_new (kind text NOT NULL DEFAULT 'new', at date NOT NULL, id bigint NOT NULL, CONSTRAINT event_id_check CHECK (id > 0)) PARTITION BY LIST (kind);
ALTER TABLE event_new ADD CONSTRAINT own_check CHECK (kind <> '');
ALTER TABLE event DROP CONSTRAINT event_pkey;
ALTER TABLE event ADD PRIMARY KEY (at, id, kind);
ALTER TABLE event ATTACH PARTITION event_new FOR VALUES FROM ('2020-01-01') TO (MAXVALUE);
CREATE TABLE event_new_a PARTITION OF event_new FOR VALUES IN ('a', 'it''s');
CREATE TABLE event_new_rest PARTITION OF event_new DEFAULT;
CREATE INDEX event_at ON event (at);
ALTER INDEX event_old_at_idx RENAME TO "other name";
CREATE INDEX event_new_only ON event_new (id);
ALTER TABLE event ADD COLUMN customer_id bigint REFERENCES customer;
CREATE TABLE event_note (at date, id bigint, kind text, FOREIGN KEY (at, id, kind) REFERENCES event);

-- Inheritance
CREATE TABLE base (created timestamptz NOT NULL DEFAULT now(), by text DEFAULT 'me' CHECK (by <> ''), note text DEFAULT 'x');
CREATE TABLE derived (extra integer, by text DEFAULT 'you') INHERITS (base, public.base);
ALTER TABLE derived ALTER COLUMN note DROP DEFAULT;
ALTER TABLE ONLY derived ALTER COLUMN note SET NOT NULL;

-- Views
CREATE VIEW totals (customer, "sum of all") WITH (security_barrier) AS
  SELECT c."the name", total(i.total) FROM customer c JOIN invoice i ON i.customer_id = c.id GROUP BY c.id;
COMMENT ON VIEW totals IS 'by customer';
COMMENT ON COLUMN totals.customer IS 'the name';
GRANT SELECT ON totals TO scoped_clerk;
CREATE VIEW a_first AS SELECT * FROM totals WHERE "sum of all" > 1 WITH LOCAL CHECK OPTION;
DROP VIEW a_first;
CREATE VIEW a_first AS SELECT * FROM totals WHERE "sum of all" > 1;
CREATE VIEW drafts AS SELECT id, number, status FROM invoice WHERE status = 'draft' WITH CASCADED CHECK OPTION;
ALTER VIEW drafts ALTER COLUMN status SET DEFAULT 'draft';
CREATE VIEW seen AS SELECT a.id, invoice.status FROM public.account a, invoice;
CREATE RECURSIVE VIEW numbers (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM numbers WHERE n < 5;
CREATE MATERIALIZED VIEW counts WITH (fillfactor = 80) AS SELECT status, count(*) FROM invoice GROUP BY status;
CREATE UNIQUE INDEX counts_status ON counts (status);
CREATE MATERIALIZED VIEW counts_twice AS SELECT status, twice(count::integer) FROM counts WITH NO DATA;
CREATE FUNCTION invoices() RETURNS SETOF invoice LANGUAGE sql STABLE BEGIN ATOMIC SELECT * FROM invoice; END;
CREATE FUNCTION first_lines(i invoice, c customer[]) RETURNS TABLE (a line, b line[]) LANGUAGE sql AS $$ SELECT NULL::line, NULL::line[] $$;

-- Triggers, rules
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE OF total, status ON invoice FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM 'sent'::status) EXECUTE FUNCTION touch('it''s', '2');
COMMENT ON TRIGGER touch ON invoice IS 'touches';
CREATE TRIGGER disabled AFTER INSERT ON invoice REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION touch();
ALTER TABLE invoice DISABLE TRIGGER disabled;
CREATE TRIGGER always AFTER DELETE ON customer EXECUTE FUNCTION touch();
ALTER TABLE customer ENABLE ALWAYS TRIGGER always;
CREATE CONSTRAINT TRIGGER late_check AFTER INSERT ON invoice FROM customer DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER instead INSTEAD OF INSERT ON totals FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER each_event AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE event_old DISABLE TRIGGER each_event;
CREATE RULE keep AS ON DELETE TO cache WHERE OLD.n > 5 DO INSTEAD (UPDATE cache SET value = NULL WHERE key = OLD.key; DELETE FROM empty);
COMMENT ON RULE keep ON cache IS 'keeps';
CREATE RULE off AS ON UPDATE TO cache DO ALSO NOTHING;
ALTER TABLE cache DISABLE RULE off;

-- Row security
ALTER TABLE invoice ENABLE ROW LEVEL SECURITY;
ALTER TABLE invoice FORCE ROW LEVEL SECURITY;
CREATE POLICY mine ON invoice FOR UPDATE TO scoped_clerk, PUBLIC USING (customer_id = ANY (ARRAY(SELECT id FROM customer))) WITH CHECK (status = 'draft');
CREATE POLICY strict ON invoice AS RESTRICTIVE FOR INSERT WITH CHECK (total IS NOT NULL);
COMMENT ON POLICY strict ON invoice IS 'is';
