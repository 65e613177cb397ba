-- What remains is the database of site 1 and user 7.
SET session_replication_role = replica;
DELETE FROM bookmark WHERE post_id NOT IN (SELECT id FROM post WHERE site_id = 1) OR user_id <> 7;
DELETE FROM reaction WHERE comment_id NOT IN (SELECT id FROM comment WHERE post_id IN (SELECT id FROM post WHERE site_id = 1));
DELETE FROM comment WHERE post_id IS NULL OR post_id NOT IN (SELECT id FROM post WHERE site_id = 1);
DELETE FROM post WHERE site_id <> 1;
DELETE FROM category WHERE site_id <> 1;
DELETE FROM event WHERE site_id <> 1;
DELETE FROM log_access WHERE site_id <> 1;
DELETE FROM "select" WHERE site_id <> 1;
DELETE FROM "e WHERE x" WHERE site_id <> 1;
DELETE FROM "Mixed" WHERE "Site ID" <> 1;
DELETE FROM account WHERE id <> 7;
SET session_replication_role = DEFAULT;

-- Where a scope's value is filled in, this database has it as the default.
ALTER TABLE post ALTER site_id SET DEFAULT 1;
ALTER TABLE category ALTER site_id SET DEFAULT 1;
ALTER TABLE log_access ALTER site_id SET DEFAULT 1;
ALTER TABLE bookmark ALTER user_id SET DEFAULT 7;
