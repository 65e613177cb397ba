-- What remains is the database of site 1 and user 7.
SET session_replication_role = replica;
DELETE FROM attachment WHERE message_id NOT IN (SELECT id FROM message WHERE coalesce(sender_id, 0) = 7 OR coalesce(recipient_id, 0) = 7);
DELETE FROM message WHERE coalesce(sender_id, 0) <> 7 AND coalesce(recipient_id, 0) <> 7;
DELETE FROM link WHERE coalesce(from_post, 0) NOT IN (SELECT id FROM post WHERE site_id = 1)
    AND coalesce(to_comment, 0) NOT IN (SELECT c.id FROM comment c JOIN post p ON p.id = c.post_id WHERE p.site_id = 1);
DELETE FROM notice WHERE coalesce(post_id, 0) NOT IN (SELECT id FROM post WHERE site_id = 1) AND coalesce(site_id, 0) <> 1;
DELETE FROM ticket WHERE site_id <> 1 OR coalesce(author_id, 0) <> 7 AND coalesce(owner_id, 0) <> 7;
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
DELETE FROM place WHERE site_id <> 1;
DELETE FROM account WHERE id <> 7;
DELETE FROM remark WHERE template_id = 2;
DELETE FROM template WHERE site_id = 2;
DELETE FROM holiday WHERE site_id = 2;
DELETE FROM footnote WHERE article_id <> 1;
DELETE FROM article WHERE id <> 1;
DELETE FROM page WHERE id > 2;
DELETE FROM label WHERE site_id <> 1;
DELETE FROM device WHERE site_id <> 1;
DELETE FROM asset WHERE site_id <> 1;
DELETE FROM vault WHERE site_id <> 1;
SET session_replication_role = DEFAULT;

-- Where a scope's value is filled in, this database has it as the default.
ALTER TABLE post ALTER site_id SET DEFAULT 1;
ALTER TABLE ticket ALTER site_id SET DEFAULT 1;
ALTER TABLE category ALTER site_id SET DEFAULT 1;
ALTER TABLE log_access ALTER site_id SET DEFAULT 1;
ALTER TABLE place ALTER site_id SET DEFAULT 1;
ALTER TABLE bookmark ALTER user_id SET DEFAULT 7;
ALTER TABLE "Mixed" ALTER "Site ID" SET DEFAULT 1;
ALTER TABLE template ALTER site_id SET DEFAULT 1;
ALTER TABLE holiday ALTER site_id SET DEFAULT 1;
ALTER TABLE article ALTER site_id SET DEFAULT 1;
ALTER TABLE page ALTER site_id SET DEFAULT 1;
ALTER TABLE label ALTER site_id SET DEFAULT 1;
ALTER TABLE device ALTER site_id SET DEFAULT 1;
ALTER TABLE vault ALTER site_id SET DEFAULT 1;
