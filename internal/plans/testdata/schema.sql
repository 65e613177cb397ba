-- 1,000 sites and 1,000,000 rows. Site n has the share of the rows that a cube
-- law gives it: the first has a tenth of them, the last 333 of a million.
-- VACUUM calls pages all visible only once the commit of their rows is on disk.
SET synchronous_commit = on;

CREATE FUNCTION site_of(g bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
	RETURN 1 + floor(1000 * power((g * 7919 % 100003) / 100003.0::float8, 3))::bigint;

CREATE TABLE nation (id bigint, name text NOT NULL);
INSERT INTO nation SELECT g, 'nation ' || g FROM generate_series(1, 25) g;

CREATE TABLE site (id bigint, name text NOT NULL);
INSERT INTO site SELECT g, 'site ' || g FROM generate_series(1, 1000) g;

CREATE TABLE account (id bigint, site_id bigint NOT NULL, email text NOT NULL, name text NOT NULL);
INSERT INTO account SELECT g, site_of(g), 'user' || g || '@example.org', 'user ' || g FROM generate_series(1, 20000) g;

CREATE TABLE post (id bigint, site_id bigint NOT NULL, author_id bigint NOT NULL, parent_id bigint, slug text NOT NULL, title text NOT NULL, state text NOT NULL, views bigint NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO post SELECT g, site_of(g), 1 + g * 31 % 20000, CASE WHEN g % 3 = 0 THEN 1 + g / 2 END, 'post-' || g, 'title ' || g % 5000,
	CASE WHEN g % 10 = 0 THEN 'draft' ELSE 'published' END, g % 997, '2024-01-01'::timestamptz + g * interval '5 minutes'
FROM generate_series(1, 150000) g;

CREATE TABLE comment (id bigint, post_id bigint NOT NULL, author_id bigint NOT NULL, body text NOT NULL, score bigint NOT NULL, created_at timestamptz NOT NULL);
INSERT INTO comment SELECT g, 1 + g * 17 % 150000, 1 + g * 13 % 20000, 'comment ' || g, g % 101, '2024-01-01'::timestamptz + g * interval '2 minutes'
FROM generate_series(1, 200000) g;

CREATE TABLE reaction (id bigint, comment_id bigint NOT NULL, kind text NOT NULL);
INSERT INTO reaction SELECT g, 1 + g * 7 % 200000, (ARRAY['like', 'love', 'angry'])[1 + g % 3] FROM generate_series(1, 150000) g;

CREATE TABLE report (id bigint, reaction_id bigint NOT NULL, reason text NOT NULL);
INSERT INTO report SELECT g, 1 + g * 11 % 150000, 'reason ' || g % 7 FROM generate_series(1, 30000) g;

CREATE TABLE bookmark (id bigint, post_id bigint NOT NULL, user_id bigint NOT NULL, note text);
INSERT INTO bookmark SELECT g, 1 + g * 19 % 150000, 1 + g % 5000, 'note ' || g FROM generate_series(1, 20000) g;

CREATE TABLE message (id bigint, sender_id bigint NOT NULL, recipient_id bigint NOT NULL, body text NOT NULL, sent_at timestamptz NOT NULL);
INSERT INTO message SELECT g, 1 + g % 5000, 1 + g * 7 % 5000, 'message ' || g, '2024-01-01'::timestamptz + g * interval '1 minute'
FROM generate_series(1, 10000) g;

CREATE TABLE template (id bigint, site_id bigint, name text NOT NULL);
INSERT INTO template SELECT g, CASE WHEN g % 100 <> 0 THEN site_of(g) END, 'template ' || g FROM generate_series(1, 10000) g;

CREATE TABLE notice (id bigint, site_id bigint, post_id bigint, line text NOT NULL);
INSERT INTO notice SELECT g, CASE WHEN g % 2 = 0 THEN site_of(g) END, CASE WHEN g % 2 = 1 THEN 1 + g * 29 % 150000 END, 'line ' || g FROM generate_series(1, 5000) g;

CREATE TABLE remark (id bigint, post_id bigint, line text NOT NULL);
INSERT INTO remark SELECT g, CASE WHEN g % 50 <> 0 THEN 1 + g * 29 % 150000 END, 'line ' || g FROM generate_series(1, 5000) g;

CREATE TABLE article (id bigint, site_id bigint NOT NULL, title text NOT NULL, deleted_at timestamptz);
INSERT INTO article SELECT g, site_of(g), 'article ' || g, CASE WHEN g % 5 = 0 THEN '2025-01-01'::timestamptz END FROM generate_series(1, 30000) g;

CREATE TABLE footnote (id bigint, article_id bigint NOT NULL, body text NOT NULL);
INSERT INTO footnote SELECT g, 1 + g * 3 % 30000, 'footnote ' || g FROM generate_series(1, 25000) g;

CREATE TABLE customer (id bigint, site_id bigint NOT NULL, nation_id bigint NOT NULL, segment text NOT NULL, name text NOT NULL);
INSERT INTO customer SELECT g, site_of(g), 1 + g % 25, (ARRAY['building', 'household', 'machinery'])[1 + g % 3], 'customer ' || g FROM generate_series(1, 15000) g;

CREATE TABLE part (id bigint, site_id bigint NOT NULL, name text NOT NULL, brand text NOT NULL);
INSERT INTO part SELECT g, site_of(g), 'part ' || g, 'brand ' || g % 25 FROM generate_series(1, 10000) g;

-- An order is of the site of its customer, a line of the site of its order.
CREATE TABLE orders (id bigint, site_id bigint NOT NULL, customer_id bigint NOT NULL, status text NOT NULL, total numeric NOT NULL, ordered_on date NOT NULL);
INSERT INTO orders SELECT g, site_of(1 + g % 15000), 1 + g % 15000, CASE WHEN g % 20 = 0 THEN 'open' ELSE 'shipped' END, g % 1000, '2022-01-01'::date + (g * 7 % 1000)::int
FROM generate_series(1, 75000) g;

CREATE TABLE lineitem (order_id bigint, line int NOT NULL, site_id bigint NOT NULL, part_id bigint NOT NULL, quantity numeric NOT NULL, price numeric NOT NULL, shipped_on date NOT NULL);
INSERT INTO lineitem SELECT 1 + (g - 1) / 2, 1 + (g - 1) % 2, site_of(1 + (1 + (g - 1) / 2) % 15000), 1 + g * 23 % 10000, 1 + g % 50, g % 900, '2022-01-05'::date + (g * 7 % 1000)::int
FROM generate_series(1, 150000) g;

CREATE TABLE job (id bigint, site_id bigint NOT NULL, queue text NOT NULL, state text NOT NULL, attempts bigint NOT NULL, run_at timestamptz NOT NULL);
INSERT INTO job SELECT g, site_of(g), 'queue ' || g % 4, CASE WHEN g % 25 = 0 THEN 'ready' ELSE 'done' END, 0, '2024-01-01'::timestamptz + g * interval '1 minute'
FROM generate_series(1, 40000) g;

CREATE TABLE job_log (id bigint, job_id bigint NOT NULL, line text NOT NULL);
INSERT INTO job_log SELECT g, 1 + g * 3 % 40000, 'line ' || g FROM generate_series(1, 10975) g;

CREATE TABLE event (id bigint NOT NULL, site_id bigint NOT NULL, kind text NOT NULL, at timestamptz NOT NULL) PARTITION BY HASH (site_id);
DO $$ BEGIN FOR n IN 0..15 LOOP
	EXECUTE format('CREATE TABLE event_%s PARTITION OF event FOR VALUES WITH (MODULUS 16, REMAINDER %s)', n, n);
END LOOP; END $$;
INSERT INTO event SELECT g, site_of(g), 'kind ' || g % 9, '2024-01-01'::timestamptz + g * interval '1 minute' FROM generate_series(1, 30000) g;

CREATE TABLE event_tag (event_id bigint NOT NULL, tag text NOT NULL);
INSERT INTO event_tag SELECT 1 + g % 30000, 'tag ' || g % 50 FROM generate_series(1, 13000) g;

ALTER TABLE nation ADD PRIMARY KEY (id);
ALTER TABLE site ADD PRIMARY KEY (id);
ALTER TABLE account ADD PRIMARY KEY (id), ADD UNIQUE (site_id, email);
ALTER TABLE post ADD PRIMARY KEY (id), ADD UNIQUE (site_id, slug);
CREATE INDEX post_site_created ON post (site_id, created_at, id);
CREATE INDEX post_author ON post (author_id);
CREATE INDEX post_parent ON post (parent_id);
ALTER TABLE comment ADD PRIMARY KEY (id);
CREATE INDEX comment_post ON comment (post_id, created_at);
CREATE INDEX comment_author ON comment (author_id);
ALTER TABLE reaction ADD PRIMARY KEY (id);
CREATE INDEX reaction_comment ON reaction (comment_id);
ALTER TABLE report ADD PRIMARY KEY (id);
CREATE INDEX report_reaction ON report (reaction_id);
ALTER TABLE bookmark ADD PRIMARY KEY (id);
CREATE INDEX bookmark_user ON bookmark (user_id, post_id);
ALTER TABLE message ADD PRIMARY KEY (id);
CREATE INDEX message_sender ON message (sender_id, sent_at);
CREATE INDEX message_recipient ON message (recipient_id, sent_at);
ALTER TABLE template ADD PRIMARY KEY (id);
CREATE INDEX template_site ON template (site_id, name);
ALTER TABLE notice ADD PRIMARY KEY (id);
CREATE INDEX notice_site ON notice (site_id);
CREATE INDEX notice_post ON notice (post_id);
ALTER TABLE remark ADD PRIMARY KEY (id);
CREATE INDEX remark_post ON remark (post_id);
ALTER TABLE article ADD PRIMARY KEY (id);
CREATE INDEX article_live ON article (site_id, title) WHERE deleted_at IS NULL;
ALTER TABLE footnote ADD PRIMARY KEY (id);
CREATE INDEX footnote_article ON footnote (article_id);
ALTER TABLE customer ADD PRIMARY KEY (id);
CREATE INDEX customer_site ON customer (site_id, segment);
ALTER TABLE part ADD PRIMARY KEY (id);
CREATE INDEX part_site ON part (site_id, brand);
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE INDEX orders_site ON orders (site_id, ordered_on);
CREATE INDEX orders_customer ON orders (customer_id);
ALTER TABLE lineitem ADD PRIMARY KEY (order_id, line);
CREATE INDEX lineitem_site ON lineitem (site_id, shipped_on);
CREATE INDEX lineitem_part ON lineitem (part_id);
ALTER TABLE job ADD PRIMARY KEY (id);
CREATE INDEX job_ready ON job (site_id, queue, run_at) WHERE state = 'ready';
ALTER TABLE job_log ADD PRIMARY KEY (id);
CREATE INDEX job_log_job ON job_log (job_id);
ALTER TABLE event ADD PRIMARY KEY (site_id, id);
CREATE INDEX event_at ON event (site_id, at);
CREATE INDEX event_tag_event ON event_tag (event_id);
