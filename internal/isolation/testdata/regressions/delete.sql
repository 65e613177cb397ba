-- written by hand
-- scope: one
DELETE FROM award WHERE (doc ->> 'n')::integer > 100
