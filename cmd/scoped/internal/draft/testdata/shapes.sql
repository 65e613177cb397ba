-- One table for each rule, named after what it shows.
CREATE EXTENSION pg_trgm;
CREATE SCHEMA app;
CREATE DOMAIN org_key AS uuid;

CREATE TABLE org (id org_key PRIMARY KEY, slug text NOT NULL UNIQUE, parent_id uuid REFERENCES org);
CREATE TABLE member (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org, UNIQUE (org_id, id));

-- Columns of their own.
CREATE TABLE column_by_key (id bigint PRIMARY KEY, tenant uuid NOT NULL REFERENCES org);
CREATE TABLE column_by_name (id bigint PRIMARY KEY, "orgId" uuid NOT NULL);
CREATE TABLE column_of_other_type (id bigint PRIMARY KEY, org_id integer NOT NULL);
CREATE TABLE column_nullable (id bigint PRIMARY KEY, org_id uuid REFERENCES org);
CREATE TABLE column_generated (id bigint PRIMARY KEY, doc jsonb NOT NULL, org_id uuid GENERATED ALWAYS AS ((doc ->> 'org')::uuid) STORED REFERENCES org);
CREATE TABLE column_two_one_named (id bigint PRIMARY KEY, source_id uuid NOT NULL REFERENCES org, org_id uuid NOT NULL REFERENCES org);
CREATE TABLE column_two_one_not_null (id bigint PRIMARY KEY, source_id uuid REFERENCES org, target_id uuid NOT NULL REFERENCES org);
CREATE TABLE column_two_alike (id bigint PRIMARY KEY, source_id uuid NOT NULL REFERENCES org, target_id uuid NOT NULL REFERENCES org);
CREATE TABLE waits_for_column_two_alike (id bigint PRIMARY KEY, two_id bigint NOT NULL REFERENCES column_two_alike);
CREATE TABLE column_as_primary_key (org_id uuid PRIMARY KEY REFERENCES org, colour text);
CREATE TABLE column_over_primary_key (id bigint PRIMARY KEY, settings_id uuid NOT NULL REFERENCES column_as_primary_key);

-- Paths.
CREATE TABLE path (id bigint PRIMARY KEY, member_id bigint NOT NULL REFERENCES member);
CREATE TABLE path_of_two (id bigint PRIMARY KEY, path_id bigint NOT NULL REFERENCES path);
CREATE TABLE path_by_other_key_of_root (id bigint PRIMARY KEY, org_slug text NOT NULL REFERENCES org (slug));
CREATE TABLE path_without_null_though_longer (id bigint PRIMARY KEY, member_id bigint REFERENCES member, path_id bigint NOT NULL REFERENCES path_of_two);
CREATE TABLE path_nullable (id bigint PRIMARY KEY, member_id bigint REFERENCES member);
CREATE TABLE path_either (id bigint PRIMARY KEY, member_id bigint REFERENCES member, path_id bigint REFERENCES path, CHECK (num_nonnulls(member_id, path_id) = 1));
CREATE TABLE diamond (id bigint PRIMARY KEY, path_id bigint NOT NULL REFERENCES path, other_id bigint NOT NULL REFERENCES path);
CREATE TABLE diamond_with_cascade (id bigint PRIMARY KEY, a_id bigint NOT NULL REFERENCES column_by_key, b_id bigint NOT NULL REFERENCES column_by_name ON DELETE CASCADE);
CREATE TABLE path_generated (id bigint PRIMARY KEY, n bigint NOT NULL, key_id bigint NOT NULL GENERATED ALWAYS AS (n + 1) STORED REFERENCES column_by_key);
CREATE TABLE path_not_validated (id bigint PRIMARY KEY, key_id bigint NOT NULL);
ALTER TABLE path_not_validated ADD FOREIGN KEY (key_id) REFERENCES column_by_key NOT VALID;
CREATE TABLE self_reference (id bigint PRIMARY KEY, parent_id bigint REFERENCES self_reference, member_id bigint NOT NULL REFERENCES member);
CREATE TABLE self_reference_only (id bigint PRIMARY KEY, parent_id bigint REFERENCES self_reference_only);
CREATE TABLE circle_a (id bigint PRIMARY KEY, b_id bigint);
CREATE TABLE circle_b (id bigint PRIMARY KEY, a_id bigint NOT NULL REFERENCES circle_a, member_id bigint REFERENCES member);
ALTER TABLE circle_a ADD FOREIGN KEY (b_id) REFERENCES circle_b;

-- Keys of several columns.
CREATE TABLE composite (org_id uuid NOT NULL REFERENCES org, id bigint NOT NULL, PRIMARY KEY (org_id, id));
CREATE TABLE composite_child (org_id uuid NOT NULL, composite_id bigint NOT NULL, n integer NOT NULL,
    PRIMARY KEY (org_id, composite_id, n), FOREIGN KEY (org_id, composite_id) REFERENCES composite);
CREATE TABLE composite_by_unique_part (id bigint PRIMARY KEY, team uuid NOT NULL, member_id bigint NOT NULL,
    FOREIGN KEY (team, member_id) REFERENCES member (org_id, id));
CREATE TABLE numbered (member_id bigint NOT NULL REFERENCES member, n integer NOT NULL, PRIMARY KEY (member_id, n));
CREATE TABLE composite_without_way (id bigint PRIMARY KEY, numbered_member bigint NOT NULL, numbered_n integer NOT NULL,
    FOREIGN KEY (numbered_member, numbered_n) REFERENCES numbered);
CREATE TABLE below_composite_without_way (id bigint PRIMARY KEY, above_id bigint NOT NULL REFERENCES composite_without_way);

-- References that must stay in the scope, and such as do anyway.
CREATE TABLE reference (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org, path_id bigint REFERENCES path);
CREATE TABLE reference_with_scope (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org, member_id bigint,
    FOREIGN KEY (org_id, member_id) REFERENCES member (org_id, id));

-- Look-up tables, and what is none.
CREATE TABLE lookup_of_lookup (code text PRIMARY KEY);
CREATE TABLE lookup (code text PRIMARY KEY, further text NOT NULL REFERENCES lookup_of_lookup);
CREATE TABLE private_person (id bigint PRIMARY KEY, "eMail" text NOT NULL);
CREATE TABLE looks_up (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org, code text REFERENCES lookup, person_id bigint REFERENCES private_person);
CREATE TABLE about_lookup (code text NOT NULL REFERENCES lookup);
CREATE TABLE schema_migrations (version text PRIMARY KEY);
CREATE TABLE without_columns ();

-- Partitions, children, other schemas, foreign tables.
CREATE TABLE event (id bigint NOT NULL, org_id uuid NOT NULL REFERENCES org, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_2026 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY RANGE (at);
CREATE TABLE event_2026_01 PARTITION OF event_2026 FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
CREATE TABLE refers_to_partition (id bigint PRIMARY KEY, event_id bigint NOT NULL, at date NOT NULL, FOREIGN KEY (event_id, at) REFERENCES event_2026_01);
CREATE TABLE task (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org) PARTITION BY HASH (id);
CREATE TABLE task_0 PARTITION OF task FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE refers_to_one_partition (id bigint PRIMARY KEY, task_id bigint NOT NULL REFERENCES task_0);
CREATE TABLE log (line text, org_id uuid REFERENCES org);
CREATE TABLE log_child (extra text) INHERITS (log);
CREATE TABLE parent (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES org);
CREATE TABLE child () INHERITS (parent);
CREATE TABLE refers_to_parent (id bigint PRIMARY KEY, parent_id bigint NOT NULL REFERENCES parent);
CREATE TABLE orphan (n integer) PARTITION BY LIST (n);
CREATE TABLE orphan_1 PARTITION OF orphan FOR VALUES IN (1);
CREATE TABLE app.invoice (id bigint PRIMARY KEY, org_id uuid NOT NULL REFERENCES public.org);
CREATE TABLE app.line (id bigint PRIMARY KEY, invoice_id bigint NOT NULL REFERENCES app.invoice);
CREATE EXTENSION postgres_fdw;
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE foreign_named (id bigint, org_id uuid) SERVER elsewhere;
CREATE FOREIGN TABLE foreign_other (id bigint) SERVER elsewhere;

-- Views.
CREATE VIEW view_of_column AS SELECT org_id AS o, id FROM member;
CREATE VIEW view_of_path AS SELECT p.member_id AS m, p.id + 1 AS next FROM path AS p;
CREATE VIEW view_of_key AS SELECT p.id AS path FROM path AS p;
CREATE VIEW view_of_view AS SELECT path AS p FROM view_of_key;
CREATE VIEW view_of_nothing AS SELECT count(*) FROM member;
CREATE VIEW view_of_lookup AS SELECT * FROM lookup;
CREATE VIEW view_of_denied AS SELECT o.org_id FROM column_nullable AS o CROSS JOIN schema_migrations;
CREATE VIEW view_of_union AS SELECT org_id FROM member UNION ALL SELECT org_id FROM app.invoice;
CREATE VIEW view_of_system AS SELECT relname FROM pg_class;
CREATE VIEW view_without_tables AS SELECT 1 AS one;
CREATE FUNCTION app.twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n';
CREATE VIEW view_calling AS SELECT org_id, app.twice(1) FROM event;
CREATE MATERIALIZED VIEW materialized AS SELECT org_id, count(*) FROM event GROUP BY org_id;
CREATE TYPE composite_type AS (a integer);
