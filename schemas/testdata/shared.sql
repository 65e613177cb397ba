-- What all tenants share, in a schema that is not in the search path of the others.
CREATE TABLE tenant (slug text PRIMARY KEY);
CREATE TABLE account (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT upper($1) $$;
CREATE FUNCTION same(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT lower($1) = lower($2) $$;
CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text);
CREATE TABLE base (created timestamptz NOT NULL DEFAULT now());
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scoped_clerk') THEN CREATE ROLE scoped_clerk; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scoped "Owner"') THEN CREATE ROLE "scoped ""Owner"""; END IF;
END $$;
