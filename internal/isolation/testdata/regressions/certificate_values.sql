-- seed 21, scope one, SELECT 1594
-- scope: one
-- the rewrite does not parse, the certificate refuses it
SELECT 1 FROM (SELECT * FROM (VALUES ((SELECT true FROM tag_link))) t4 JOIN log_access ON site_id::bigint IS NULL) t8 WHERE line::numeric BETWEEN 0 AND 9
