package check

// faults are the faults that are seeded, at least one for each rule, and what
// looks like one and is none.
var faults = []fault{
	{name: "nothing"},

	// What the policy names.
	{name: "a table that is not there", tables: []string{"draft: {site: site_id}"}, want: []string{"table-missing public.draft"}},
	{name: "a type", sql: "CREATE TYPE pair AS (a int, b int)", tables: []string{"pair: shared"}, want: []string{"not-a-table public.pair"}},
	{name: "a column that is not there", tables: []string{"post: {site: tenant_id}"}, want: []string{"column-missing public.post"}},
	{name: "columns of a condition and of references", tables: []string{"post: {site: site_id, where: gone IS NULL, references: {parent: post}}"},
		want: []string{"column-missing public.post", "column-missing public.post"}},
	{name: "a column that cannot be compared", sql: "ALTER TABLE post ADD owner uuid NOT NULL; CREATE INDEX ON post (owner)", tables: []string{"post: {site: owner}"},
		want: []string{"type-mismatch public.post"}},
	{name: "a schema that is not there", path: "public, app", want: []string{"schema-missing app"}, stays: true},
	{name: "tables that are not listed", sql: `
		CREATE TABLE tag (id bigint PRIMARY KEY, site_id bigint); CREATE TABLE note (id bigint PRIMARY KEY, comment_id bigint REFERENCES comment);
		CREATE TABLE other (id bigint PRIMARY KEY); CREATE VIEW posts AS SELECT * FROM post; CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t ()`,
		want: []string{"table-unlisted public.tag", "table-unlisted public.note", "table-unlisted public.other", "table-unlisted public.posts"}},
	{name: "a partition that is not listed", sql: `
		CREATE TABLE log (site_id bigint NOT NULL, day date) PARTITION BY RANGE (day); CREATE INDEX ON log (site_id);
		CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`, tables: []string{"log: {site: site_id}"}},
	{name: "an extension's table", sql: "CREATE TABLE spatial (id int); CREATE EXTENSION btree_gist; ALTER EXTENSION btree_gist ADD TABLE spatial",
		want: []string{"extension-table public.spatial"}},
	{name: "a dimension without tables", dimensions: "  user: {type: bigint}\n", want: []string{"dimension-unused user"}},
	{name: "a generated column", sql: "CREATE TABLE item (code bigint, half bigint GENERATED ALWAYS AS (code / 2) STORED NOT NULL); CREATE INDEX ON item (half)",
		tables: []string{"item: {site: half}"}, want: []string{"generated-not-marked public.item"}},
	{name: "a view listed as a table", sql: "CREATE VIEW posts WITH (security_barrier) AS SELECT * FROM post", tables: []string{"posts: {site: site_id}"},
		want: []string{"view-not-marked public.posts"}},

	// Columns and indexes.
	{name: "columns that may be NULL", sql: "ALTER TABLE post ALTER site_id DROP NOT NULL; ALTER TABLE comment ALTER post_id DROP NOT NULL",
		want: []string{"scope-column-nullable public.post", "scope-column-nullable public.comment"}},
	{name: "rows of nobody", sql: "ALTER TABLE post ALTER site_id DROP NOT NULL", tables: []string{"post: {site: {column: site_id, null: read}}"}},
	{name: "rows of nobody that cannot be", tables: []string{"post: {site: {column: site_id, null: visible}}"}, want: []string{"null-never public.post"}},
	{name: "another type", sql: "CREATE TABLE item (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, site_id integer NOT NULL); CREATE INDEX ON item (site_id)",
		tables: []string{"item: {site: site_id}"}, want: []string{"scope-type-differs public.item"}},
	{name: "a domain of the type", sql: "CREATE DOMAIN site_key AS bigint; CREATE TABLE item (site_id site_key NOT NULL); CREATE INDEX ON item (site_id)",
		tables: []string{"item: {site: site_id}"}},
	{name: "texts that are taken for equal", sql: `
		CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
		CREATE TABLE item (id uuid PRIMARY KEY, site_id bigint NOT NULL, tenant text COLLATE loose NOT NULL); CREATE INDEX ON item (site_id, tenant)`,
		dimensions: "  tenant: {type: text}\n", tables: []string{"item: {site: site_id, tenant: tenant}"}, want: []string{"scope-collation public.item"}},
	{name: "no index", sql: "DROP INDEX post_site", want: []string{"scope-column-without-index public.post"}},
	{name: "no index that serves", sql: `
		DROP INDEX post_site; CREATE INDEX ON post (title, site_id); CREATE INDEX ON post (site_id) WHERE deleted_at IS NULL;
		CREATE INDEX ON post USING brin (site_id); CREATE INDEX broken ON post (site_id);
		UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'broken'::regclass`, want: []string{"scope-column-without-index public.post"}},
	{name: "indexes that serve", sql: `
		DROP INDEX post_site, comment_post; CREATE INDEX ON post USING hash (site_id); CREATE INDEX ON comment (post_id, body) WHERE post_id IS NOT NULL`},
	{name: "a partial index for the condition", sql: "DROP INDEX post_site; CREATE INDEX ON post (site_id) WHERE deleted_at IS NULL",
		tables: []string{"post: {site: site_id, where: deleted_at is  null}"}},
	{name: "a partial index for a condition with a constant", sql: `
		DROP INDEX post_site; ALTER TABLE post ADD kind varchar(9); CREATE INDEX ON post (site_id) WHERE kind = 'live' AND deleted_at IS NULL`,
		tables: []string{"post: {site: site_id, where: kind = 'live' AND deleted_at IS NULL}"}},
	{name: "an index behind another dimension", sql: "CREATE TABLE item (site_id bigint NOT NULL, tenant bigint NOT NULL); CREATE INDEX ON item (site_id, tenant)",
		dimensions: "  tenant: {type: bigint}\n", tables: []string{"item: {site: site_id, tenant: tenant}"}},
	{name: "no index on a partitioned table", sql: "CREATE TABLE log (site_id bigint NOT NULL) PARTITION BY LIST (site_id)",
		tables: []string{"log: {site: site_id}"}, want: []string{"scope-column-without-index public.log"}},
	{name: "no index for a path", sql: "DROP INDEX comment_post", want: []string{"path-column-without-index public.comment"}},
	{name: "either of several without an index", sql: "ALTER TABLE post ADD guest_id bigint", tables: []string{"post: {site: [site_id, guest_id]}", "comment: shared"},
		want: []string{"scope-column-without-index public.post"}},
	{name: "no index for an optional dimension", sql: "ALTER TABLE post ADD author bigint NOT NULL", dimensions: "  user: {type: bigint, optional: true}\n",
		tables: []string{"post: {site: site_id, user: author}"}, want: []string{"optional-dimension-without-index public.post"}},
	{name: "a default", sql: "ALTER TABLE post ALTER site_id SET DEFAULT 1", want: []string{"scope-default public.post"}},
	{name: "a shared table with the column", sql: "CREATE TABLE tag (site_id bigint NOT NULL); CREATE INDEX ON tag (site_id)", tables: []string{"tag: shared"},
		want: []string{"shared-looks-scoped public.tag"}},
	{name: "a shared table with a key of the root", sql: "CREATE TABLE tag (of bigint NOT NULL REFERENCES site); CREATE INDEX ON tag (of)",
		tables: []string{"tag: {shared: read}"}, want: []string{"shared-looks-scoped public.tag"}},
	{name: "a shared root", tables: []string{"site: {shared: read}"}},
	{name: "numbers within a scope", sql: "ALTER TABLE post ADD number bigserial, ADD UNIQUE (site_id, number)", want: []string{"sequence-reveals-volume public.post"}},
	{name: "large objects", sql: "ALTER TABLE post ADD picture oid; SELECT lo_create(0)", want: []string{"large-objects public.post"}},
	{name: "oid and no large object", sql: "ALTER TABLE post ADD picture oid"},
	{name: "no statistics", sql: "INSERT INTO site (name) SELECT n FROM generate_series(1, 3) n", want: []string{"statistics-missing public.site"}},

	// Keys.
	{name: "a path to what is not unique", sql: "ALTER TABLE post ADD code text; ALTER TABLE comment DROP post_id, ADD of text NOT NULL; CREATE INDEX ON comment (of)",
		tables: []string{"comment: {site: of -> post(code)}"}, want: []string{"path-not-unique public.comment", "path-without-foreign-key public.comment"}},
	{name: "a path without a foreign key", sql: "ALTER TABLE comment DROP CONSTRAINT comment_post_id_fkey", want: []string{"path-without-foreign-key public.comment"}},
	{name: "a foreign key that is not validated", sql: `
		ALTER TABLE comment DROP CONSTRAINT comment_post_id_fkey; ALTER TABLE comment ADD CONSTRAINT late FOREIGN KEY (post_id) REFERENCES post NOT VALID`,
		want: []string{"foreign-key-not-validated public.comment"}},
	{name: "a foreign key whose triggers are disabled", sql: "ALTER TABLE comment DISABLE TRIGGER ALL", want: []string{"foreign-key-not-enforced public.comment"}},
	{name: "a foreign key that is not enforced", version: 18, sql: "ALTER TABLE comment ALTER CONSTRAINT comment_post_id_fkey NOT ENFORCED",
		want: []string{"foreign-key-not-enforced public.comment"}},
	{name: "a primary key that is chosen", sql: "CREATE TABLE page (slug text PRIMARY KEY, site_id bigint NOT NULL REFERENCES site); CREATE INDEX ON page (site_id)",
		tables: []string{"page: {site: site_id}"}, want: []string{"primary-key-without-dimension public.page"}},
	{name: "a primary key of numbers that are chosen", sql: `
		CREATE TABLE "it's" ("the 'id'" bigint PRIMARY KEY, site_id bigint NOT NULL); INSERT INTO "it's" VALUES (7, 1), (9, 2); ANALYZE "it's"; CREATE INDEX ON "it's" (site_id)`,
		tables: []string{`'"it''s"': {site: site_id}`}, want: []string{"primary-key-without-dimension public.it's"}},
	{name: "a primary key that has a foreign key, and one of a list", sql: `
		CREATE TABLE page (slug text PRIMARY KEY, site_id bigint NOT NULL); CREATE INDEX ON page (site_id);
		CREATE TABLE link (id bigserial PRIMARY KEY, page text NOT NULL REFERENCES page); CREATE INDEX ON link (page);
		CREATE TABLE sheet (slug text PRIMARY KEY, site_id bigint, post_id bigint REFERENCES post); CREATE INDEX ON sheet (site_id); CREATE INDEX ON sheet (post_id)`,
		tables: []string{"page: {site: site_id}", "link: {site: page -> page(slug)}", "sheet: {site: [site_id, post_id -> post]}"},
		want:   []string{"primary-key-without-dimension public.page", "primary-key-without-dimension public.sheet"}},
	{name: "primary keys that are drawn, or have the dimension", sql: `
		CREATE TABLE page (id serial PRIMARY KEY, site_id bigint NOT NULL, slug text, UNIQUE (site_id, slug));
		CREATE TABLE sheet (id uuid PRIMARY KEY, site_id bigint NOT NULL UNIQUE); CREATE TABLE leaf (post_id bigint PRIMARY KEY REFERENCES post)`,
		tables: []string{"page: {site: site_id}", "sheet: {site: site_id}", "leaf: {site: post_id -> post}"}},
	{name: "unique constraints", sql: `
		ALTER TABLE post ADD UNIQUE (title) INCLUDE (deleted_at) DEFERRABLE; CREATE UNIQUE INDEX ON post (lower(title)) WHERE deleted_at IS NULL;
		ALTER TABLE comment ADD UNIQUE (body), ADD UNIQUE (post_id, body)`,
		want: []string{"unique-without-dimension public.post", "unique-without-dimension public.post", "unique-without-dimension public.comment"}},
	{name: "a unique index of a partitioned table", sql: `
		CREATE TABLE log (site_id bigint NOT NULL, day date) PARTITION BY RANGE (day); CREATE INDEX ON log (site_id); CREATE UNIQUE INDEX ON log (day)`,
		tables: []string{"log: {site: site_id}"}, want: []string{"unique-without-dimension public.log"}},
	{name: "a unique constraint without one of two dimensions", sql: `
		ALTER TABLE post ADD author bigint NOT NULL, ADD UNIQUE (author, title), ADD UNIQUE (site_id, author)`,
		dimensions: "  user: {type: bigint}\n", tables: []string{"post: {site: site_id, user: author}", "comment: {site: post_id -> post, user: post_id -> post}"},
		want: []string{"unique-without-dimension public.post"}},
	{name: "a unique reference", sql: "CREATE TABLE invoice (site_id bigint NOT NULL, post_id bigint NOT NULL UNIQUE REFERENCES post); CREATE INDEX ON invoice (site_id)",
		tables: []string{"invoice: {site: site_id, references: {post_id: post}}"}},
	{name: "exclusion constraints", sql: `
		CREATE EXTENSION btree_gist;
		CREATE TABLE booking (site_id bigint NOT NULL, during daterange, EXCLUDE USING gist (during WITH &&), EXCLUDE USING gist (site_id WITH =, during WITH &&));
		CREATE INDEX ON booking (site_id)`, tables: []string{"booking: {site: site_id}"}, want: []string{"exclusion-without-dimension public.booking"}},
	{name: "foreign keys that cross scopes", sql: `
		ALTER TABLE post ADD pinned bigint REFERENCES comment; ALTER TABLE comment ADD parent bigint REFERENCES comment`,
		want: []string{"foreign-key-crosses-scopes public.post", "foreign-key-crosses-scopes public.comment"}},
	{name: "foreign keys that do not cross scopes", sql: `
		ALTER TABLE post ADD UNIQUE (site_id, id), ADD parent bigint, ADD FOREIGN KEY (site_id, parent) REFERENCES post (site_id, id);
		ALTER TABLE comment ADD UNIQUE (post_id, id), ADD parent bigint, ADD FOREIGN KEY (post_id, parent) REFERENCES comment (post_id, id) ON DELETE CASCADE;
		CREATE TABLE country (code text PRIMARY KEY); ALTER TABLE post ADD country text REFERENCES country`, tables: []string{"country: {shared: read}"}},
	{name: "a wide foreign key that crosses scopes", sql: `
		ALTER TABLE post ADD kind int, ADD number int, ADD UNIQUE (site_id, kind, number), ADD UNIQUE (kind, number);
		ALTER TABLE comment ADD kind int, ADD number int, ADD FOREIGN KEY (kind, number) REFERENCES post (kind, number)`,
		want: []string{"foreign-key-crosses-scopes public.comment", "unique-without-dimension public.post"}, stays: true},
	{name: "a cascade that crosses scopes", sql: "ALTER TABLE comment ADD parent bigint REFERENCES comment ON DELETE CASCADE",
		want: []string{"cascade-crosses-scopes public.comment"}, stays: true},
	{name: "a cascade from a shared table", sql: "CREATE TABLE kind (id bigint PRIMARY KEY); ALTER TABLE post ADD kind bigint REFERENCES kind ON DELETE SET NULL",
		tables: []string{"kind: shared"}, want: []string{"cascade-crosses-scopes public.post"}},
	{name: "a reference without a foreign key", sql: "ALTER TABLE post ADD parent bigint", tables: []string{"post: {site: site_id, references: {parent: post}}"},
		want: []string{"reference-without-foreign-key public.post"}},
	{name: "a foreign key to a denied table", sql: "CREATE TABLE secret (id bigint PRIMARY KEY); ALTER TABLE post ADD secret bigint REFERENCES secret",
		tables: []string{"secret: denied"}, want: []string{"foreign-key-to-denied public.post"}},

	// Views, functions and triggers.
	{name: "shared views", sql: `
		CREATE VIEW titles AS SELECT title FROM post; CREATE VIEW first_title WITH (security_barrier) AS SELECT min(title) FROM titles;
		CREATE VIEW posts AS SELECT * FROM post; CREATE VIEW one AS SELECT 1`,
		tables: []string{"titles: shared", "first_title: {shared: read}", "posts: shared", "one: shared"},
		want:   []string{"view-unguarded public.titles", "view-unguarded public.first_title", "view-unguarded public.posts"}},
	{name: "a shared view that calls a function", sql: `
		CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql AS 'SELECT title FROM post'; CREATE VIEW all_titles AS SELECT * FROM titles()`,
		tables: []string{"all_titles: shared"}, want: []string{"view-unguarded public.all_titles"}},
	{name: "a shared materialized view", sql: "CREATE MATERIALIZED VIEW titles AS SELECT title FROM post", tables: []string{"titles: shared"},
		want: []string{"materialized-view-unguarded public.titles"}},
	{name: "a scoped materialized view", sql: "CREATE MATERIALIZED VIEW titles AS SELECT site_id, title FROM post; CREATE INDEX ON titles (site_id)",
		tables: []string{"titles: {site: site_id}"}, want: []string{"materialized-view-stale public.titles"}},
	{name: "a view that is no barrier", sql: "CREATE VIEW posts AS SELECT * FROM post", tables: []string{"posts: {site: site_id, view: true}"},
		want: []string{"view-without-barrier public.posts"}},
	{name: "a view and row-level security", version: 15, sql: `
		ALTER TABLE post ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON post USING (true); CREATE VIEW posts WITH (security_barrier) AS SELECT * FROM post;
		CREATE VIEW invoker WITH (security_barrier, security_invoker) AS SELECT * FROM post`,
		tables: []string{"posts: {site: site_id, view: true}", "invoker: {site: site_id, view: true}"}, want: []string{"view-bypasses-row-security public.posts"}},
	{name: "a rule", sql: "CREATE RULE soft AS ON DELETE TO post DO INSTEAD UPDATE post SET deleted_at = now() WHERE id = old.id", want: []string{"rule-on-table public.post"}},
	{name: "a trigger that assigns", sql: `
		CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.title := 'x'; NEW.site_id = 1; RETURN NEW; END $$;
		CREATE TRIGGER move BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION move()`, want: []string{"trigger-changes-scope public.post"}},
	{name: "a trigger that selects into", sql: `
		CREATE FUNCTION move() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN SELECT 'x', 1 INTO NEW.title, NEW.site_id; RETURN NEW; END $$;
		CREATE TRIGGER move BEFORE UPDATE ON post FOR EACH ROW EXECUTE FUNCTION move()`, want: []string{"trigger-changes-scope public.post"}},
	{name: "a trigger that compares", sql: `
		CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN -- NEW.site_id := 1 FROM post
			IF NEW.site_id = 1 THEN NEW.title := 'from post'; END IF; RETURN NEW; END $$;
		CREATE TRIGGER look BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION look()`, want: []string{"trigger-reaches-scoped public.post"}},
	{name: "a trigger that writes", sql: `
		CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public."comment" (body) VALUES ('x'); RETURN NULL; END $$;
		CREATE TRIGGER audit AFTER INSERT ON post FOR EACH ROW EXECUTE FUNCTION audit()`, want: []string{"trigger-reaches-scoped public.post"}},
	{name: "functions that read", sql: `
		CREATE FUNCTION latest() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT max(title) FROM post; END;
		CREATE FUNCTION newest() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$ BEGIN RETURN public.latest(); END $$;
		CREATE FUNCTION pure(post text) RETURNS text LANGUAGE sql AS $$ SELECT upper(post) $$;
		CREATE FUNCTION purge() RETURNS void LANGUAGE sql AS $$ TRUNCATE comment $$`, allow: "latest, newest, pure",
		want: []string{"function-reads-scoped public.latest()", "function-reads-scoped public.newest()"}},
	{name: "functions that cannot be seen through", sql: `
		CREATE FUNCTION run(q text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE q; END $$;
		CREATE FUNCTION runs(q text) RETURNS void LANGUAGE sql AS $$ SELECT run(q) $$`, allow: "run, runs",
		want: []string{"function-opaque public.run(q text)", "function-opaque public.runs(q text)"}},
	{name: "SQL in strings", sql: `CREATE FUNCTION run() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM post'; END $$`, allow: "run",
		want: []string{"function-opaque public.run()", "function-reads-scoped public.run()"}},
	{name: "a SECURITY DEFINER function", sql: "CREATE FUNCTION plain(text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT $1 $$", allow: "plain",
		want: []string{"function-search-path public.plain(text)"}},
	{name: "the name of a built-in function", sql: `
		CREATE FUNCTION lower(bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$; CREATE SCHEMA app; CREATE FUNCTION app.upper(bigint) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$`,
		want: []string{"function-shadows-builtin public.lower(bigint)"}},
	{name: "the name of a column", sql: `
		CREATE FUNCTION body(post) RETURNS text LANGUAGE sql AS $$ SELECT max(body) FROM comment $$;
		CREATE FUNCTION title(comment) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$`,
		want: []string{"function-named-as-column public.body(public.post)"}},
	{name: "expressions that read", sql: `
		CREATE FUNCTION posts(text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT count(*) FROM public.post $$;
		CREATE TABLE item (site_id bigint NOT NULL, a bigint DEFAULT posts('a'), b text CHECK (posts(b) < 9), c bigint GENERATED ALWAYS AS (posts('c')) STORED);
		CREATE INDEX ON item (site_id); CREATE INDEX ON item (posts(b))`, tables: []string{"item: {site: site_id}"},
		want: []string{"expression-reaches-scoped public.item", "expression-reaches-scoped public.item", "expression-reaches-scoped public.item", "expression-reaches-scoped public.item"}},
	{name: "an operator and a cast", sql: `
		CREATE FUNCTION posts(bigint, bigint) RETURNS bool LANGUAGE sql AS $$ SELECT EXISTS (SELECT FROM post WHERE id = $1) $$;
		CREATE OPERATOR === (FUNCTION = posts, LEFTARG = bigint, RIGHTARG = bigint); CREATE TYPE pair AS (a bigint, b bigint);
		CREATE FUNCTION pair(bigint) RETURNS pair LANGUAGE sql AS $$ SELECT id, site_id FROM post WHERE id = $1 $$; CREATE CAST (bigint AS pair) WITH FUNCTION pair(bigint)`,
		want: []string{"operator-reads-scoped public.posts(bigint, bigint)", "operator-reads-scoped public.pair(bigint)"}},

	// Partitions and inheritance.
	{name: "a partition listed apart", sql: `
		CREATE TABLE log (site_id bigint NOT NULL, day date) PARTITION BY RANGE (day); CREATE INDEX ON log (site_id);
		CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
		CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')`,
		tables: []string{"log: {site: site_id}", "log_1: {shared: read}", "log_2: {site: site_id}"},
		want:   []string{"partition-listed-apart public.log_1", "shared-looks-scoped public.log_1"}},
	{name: "a shared parent", sql: "CREATE TABLE thing (name text); CREATE TABLE item (site_id bigint NOT NULL) INHERITS (thing); CREATE INDEX ON item (site_id)",
		tables: []string{"thing: shared", "item: {site: site_id}"}, want: []string{"parent-shows-children public.thing"}},
	{name: "a child without keys", sql: "CREATE TABLE old_post () INHERITS (post); CREATE INDEX ON old_post (site_id)", want: []string{"child-without-keys public.post"}},

	// Row-level security.
	{name: "row-level security without a policy", sql: "ALTER TABLE post ENABLE ROW LEVEL SECURITY", want: []string{"row-security-without-policy public.post"}},
	{name: "a policy that reads a setting", sql: `
		ALTER TABLE post ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON post USING (site_id = current_setting('app.site')::bigint)`,
		want: []string{"row-security-needs-setting public.post"}},
	{name: "row-level security that is not forced", roles: []string{"app"}, sql: `
		CREATE ROLE app LOGIN; GRANT ALL ON SCHEMA public TO app; ALTER TABLE post OWNER TO app; ALTER TABLE post ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON post USING (true)`,
		want: []string{"row-security-not-forced public.post", "role-owns-table app"}},

	// Roles and rights.
	{name: "a superuser", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN SUPERUSER", want: []string{"role-superuser app"}},
	{name: "a role that bypasses row-level security", roles: []string{"app"}, sql: `
		CREATE ROLE app LOGIN BYPASSRLS; ALTER TABLE post ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON post USING (true)`,
		want: []string{"role-bypasses-row-security app"}},
	{name: "an owner through a group", roles: []string{"app"}, sql: `
		CREATE ROLE owners; CREATE ROLE app LOGIN IN ROLE owners; GRANT ALL ON SCHEMA public TO owners; ALTER TABLE comment OWNER TO owners`,
		want: []string{"role-owns-table app"}},
	{name: "files", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN IN ROLE pg_read_server_files, pg_execute_server_program", want: []string{"role-reaches-files app"}},
	{name: "another role for all data", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; CREATE ROLE reports LOGIN IN ROLE pg_read_all_data",
		want: []string{"role-reads-all reports"}},
	{name: "another role with rights", roles: []string{"app"}, sql: `
		CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON site, post, comment TO app; CREATE ROLE readers; CREATE ROLE reports LOGIN IN ROLE readers;
		CREATE ROLE writer LOGIN; GRANT SELECT (title) ON post TO writer; GRANT DELETE ON comment TO writer`,
		want: []string{"role-reaches-table writer"}},
	{name: "the program's role", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON site, post, comment TO app"},
	{name: "a check by the program's role", sql: `
		CREATE ROLE app LOGIN; GRANT SELECT, INSERT ON site, post, comment TO app; CREATE ROLE writer LOGIN; GRANT DELETE ON comment TO writer;
		SET LOCAL SESSION AUTHORIZATION app`, want: []string{"role-reaches-table writer"}, stays: true},
	{name: "rights of everybody", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT SELECT ON post TO PUBLIC; GRANT UPDATE (body) ON comment TO PUBLIC",
		want: []string{"public-grant public.post", "public-grant public.comment"}},
	{name: "a schema that everybody may write to", sql: "GRANT CREATE ON SCHEMA public TO PUBLIC", want: []string{"schema-create-public public"}},

	// Server and session.
	{name: "another search_path", roles: []string{"app"}, sql: "CREATE SCHEMA app; CREATE ROLE app LOGIN", want: []string{"search-path-differs server"}},
	{name: "the search_path of a role", roles: []string{"app"}, sql: `
		CREATE SCHEMA app; CREATE ROLE app LOGIN; ALTER ROLE app SET search_path = public, "$user", nowhere`, path: "public, app"},
	{name: "a session's search_path", sql: "CREATE SCHEMA app; SET LOCAL search_path = app, public", want: []string{"search-path-differs server"}, stays: true},
	{name: "pg_catalog behind", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; ALTER ROLE app SET search_path = public, pg_catalog", want: []string{"search-path-differs server"}},
	{name: "strings", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; ALTER ROLE app SET standard_conforming_strings = off",
		want: []string{"standard-conforming-strings server"}},
	{name: "a session's strings", sql: "SET LOCAL standard_conforming_strings = off", want: []string{"standard-conforming-strings server"}, stays: true},
	{name: "an encoding", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; ALTER ROLE app SET client_encoding = LATIN1", want: []string{"client-encoding server"}},
	{name: "a replica's role", roles: []string{"app"}, sql: "CREATE ROLE app LOGIN; ALTER ROLE app SET session_replication_role = replica", want: []string{"replication-role server"}},
	{name: "a publication", sql: "CREATE PUBLICATION p FOR TABLE post", want: []string{"publication public.post"}},
	{name: "a publication of all tables", sql: "CREATE PUBLICATION p FOR ALL TABLES",
		want: []string{"publication public.site", "publication public.post", "publication public.comment"}},
	{name: "a publication of a schema", version: 15, sql: "CREATE PUBLICATION p FOR TABLES IN SCHEMA public",
		want: []string{"publication public.site", "publication public.post", "publication public.comment"}},
	{name: "a subscription", sql: `
		CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false);
		INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) SELECT oid, 'post'::regclass, 'r' FROM pg_subscription WHERE subname = 's'`,
		want: []string{"subscription public.post"}},
	{name: "a foreign table", sql: `
		CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE far (site_id bigint NOT NULL) SERVER s`,
		tables: []string{"far: {site: site_id}"}, want: []string{"foreign-table public.far"}},
}
