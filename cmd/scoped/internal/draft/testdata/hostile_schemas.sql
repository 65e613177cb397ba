-- Schemas of values whose names mean something to YAML, SQL, shells or formats; numbers are values.
CREATE TABLE "Te nant's ""x""" ("N""o" int NOT NULL, UNIQUE ("N""o"));
INSERT INTO "Te nant's ""x""" VALUES (1), (2), (10);
CREATE TABLE plan (id int PRIMARY KEY);
INSERT INTO plan VALUES (1), (2), (10), (11);
DO $do$
DECLARE n text;
BEGIN
  FOREACH n IN ARRAY ARRAY['1', '2', '10'] LOOP
    EXECUTE format('CREATE SCHEMA %I', 'Ä "{# ''$(x)`no`: ' || n || E';--%_');
    EXECUTE format('SET LOCAL search_path = %I', 'Ä "{# ''$(x)`no`: ' || n || E';--%_');
    CREATE TYPE "my ""type"", *" AS (a int);
    CREATE SEQUENCE "no";
    CREATE TABLE "Line's: #" ("null" bigint PRIMARY KEY);
    CREATE TABLE "." ("on" bigint REFERENCES "Line's: #");
  END LOOP;
END $do$;
CREATE SCHEMA U&"odd\005C one";
CREATE TABLE U&"odd\005C one"."Line's: #" ("null" bigint PRIMARY KEY);
CREATE TABLE U&"odd\005C one"."." ("on" bigint);
SET search_path = public;
