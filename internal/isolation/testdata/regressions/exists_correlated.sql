-- written by hand
-- scope: one
SELECT id FROM post p WHERE EXISTS (SELECT 1 FROM comment c WHERE c.post_id = p.id AND c.num::integer >= 0)
