-- written by hand
-- scope: one
SELECT id FROM comment WHERE id = 3 AND num::integer > 0
