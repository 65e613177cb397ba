-- A blog of 1,000 sites: 50 posts of each, 4 comments below each post.
CREATE TABLE site (id bigint PRIMARY KEY, name text NOT NULL);
CREATE TABLE author (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES site, name text NOT NULL);
-- With room in its pages, as is usual where rows are updated often.
CREATE TABLE post (
    id bigint PRIMARY KEY,
    site_id bigint NOT NULL REFERENCES site,
    author_id bigint NOT NULL REFERENCES author,
    title text NOT NULL,
    views bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE TABLE comment (id bigint PRIMARY KEY, post_id bigint NOT NULL REFERENCES post, body text NOT NULL);
CREATE TABLE country (id bigint PRIMARY KEY, name text NOT NULL);

-- What the inserts write. The default is for row-level security.
CREATE TABLE note (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    site_id bigint NOT NULL DEFAULT current_setting('bench.site', true)::bigint,
    post_id bigint NOT NULL,
    body text NOT NULL
);
CREATE TABLE remark (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, post_id bigint NOT NULL, body text NOT NULL);

INSERT INTO site SELECT g, 'site ' || g FROM generate_series(1, 1000) g;
INSERT INTO author SELECT g, (g - 1) % 1000 + 1, 'author ' || g FROM generate_series(1, 5000) g;
INSERT INTO post SELECT g, (g - 1) % 1000 + 1, (g - 1) % 5000 + 1, 'post ' || g FROM generate_series(1, 50000) g;
INSERT INTO comment SELECT g, (g - 1) % 50000 + 1, 'comment ' || g FROM generate_series(1, 200000) g;
CREATE INDEX ON author (site_id);
CREATE INDEX ON post (site_id);
CREATE INDEX ON comment (post_id);
CREATE INDEX ON note (site_id);
CREATE INDEX ON remark (post_id);

-- Row-level security, for a role that is neither superuser nor owner.
DO $$ BEGIN
    CREATE ROLE bench_tenant;
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO bench_tenant;
ALTER TABLE site ENABLE ROW LEVEL SECURITY;
ALTER TABLE author ENABLE ROW LEVEL SECURITY;
ALTER TABLE post ENABLE ROW LEVEL SECURITY;
ALTER TABLE comment ENABLE ROW LEVEL SECURITY;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE remark ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON site USING (id = current_setting('bench.site')::bigint);
CREATE POLICY tenant ON author USING (site_id = current_setting('bench.site')::bigint);
CREATE POLICY tenant ON post USING (site_id = current_setting('bench.site')::bigint);
CREATE POLICY tenant ON comment USING (post_id IN (SELECT id FROM post));
CREATE POLICY tenant ON note USING (site_id = current_setting('bench.site')::bigint);
CREATE POLICY tenant ON remark USING (post_id IN (SELECT id FROM post));
