-- written by hand
-- scope: one
SELECT id FROM comment WHERE num::integer > 0
