-- written by hand
-- scope: one
UPDATE comment SET body = 'x' WHERE num::integer > 0
