-- written by hand
-- scope: one
SELECT id FROM post WHERE id IN (SELECT post_id FROM comment WHERE score = 10 / score)
