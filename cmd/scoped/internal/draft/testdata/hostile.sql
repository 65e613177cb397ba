-- Names that PostgreSQL accepts and that mean something else to YAML, to the
-- policy's format or to people.
CREATE SCHEMA "my schema";
CREATE TABLE "=y" ("off" bigint PRIMARY KEY);
CREATE TABLE "no" ("null" bigint PRIMARY KEY, "true" text);
CREATE TABLE "null" ("~" bigint PRIMARY KEY, "no_id" bigint NOT NULL REFERENCES "no");
CREATE TABLE "true" ("123" bigint PRIMARY KEY, "null~" bigint NOT NULL REFERENCES "null");
CREATE TABLE "123" ("a: b" bigint PRIMARY KEY, "1e3" bigint NOT NULL REFERENCES "true");
CREATE TABLE "# comment" ("'" bigint PRIMARY KEY, "{x}" bigint NOT NULL REFERENCES "123");
CREATE TABLE """" ("\" bigint PRIMARY KEY, """" bigint NOT NULL REFERENCES "# comment");
CREATE TABLE "it's" ("a -> b" bigint PRIMARY KEY, "[" bigint NOT NULL REFERENCES """");
CREATE TABLE "Order Line" ("Id" bigint PRIMARY KEY, "a,b" bigint NOT NULL REFERENCES "it's");
CREATE TABLE "order line" (id bigint PRIMARY KEY, "Order" bigint NOT NULL REFERENCES "Order Line");
CREATE TABLE "Größe" ("ключ" bigint PRIMARY KEY, "列" bigint NOT NULL REFERENCES "order line");
CREATE TABLE U&"line\000Abreak: {shared: read} #" (U&"tab\0009" bigint PRIMARY KEY, "a*" bigint NOT NULL REFERENCES "Größe");
CREATE TABLE "log_*" (U&"\2028\FEFF\0085" bigint PRIMARY KEY, "&a" bigint NOT NULL REFERENCES U&"line\000Abreak: {shared: read} #");
CREATE TABLE "my schema"."a.b" ("(k)" bigint PRIMARY KEY, "!t" bigint NOT NULL REFERENCES "log_*");
CREATE TABLE "my schema"."<<" ("?" bigint PRIMARY KEY, "- x" bigint NOT NULL REFERENCES "my schema"."a.b");
CREATE TABLE U&"\+01F600" (id bigint PRIMARY KEY, "%d$1" bigint NOT NULL REFERENCES "my schema"."<<", "on" bigint REFERENCES "=y");
CREATE VIEW "view" AS SELECT "no_id" AS "No Id" FROM "null";
CREATE FUNCTION U&"f\000A# g"(U&"x\000A" text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM FROM "Order Line"; END';
