-- written by hand
-- scope: one
UPDATE reaction SET kind = 'x' FROM comment c WHERE c.id = reaction.comment_id AND 10 / c.score > 2
