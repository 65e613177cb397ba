-- written by hand
-- scope: one
SELECT id FROM bookmark WHERE num::integer >= 0
