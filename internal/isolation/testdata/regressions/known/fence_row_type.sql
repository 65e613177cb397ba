-- written by hand
-- scope: one
-- a row of a fenced table has no type of its own
SELECT c FROM comment c CROSS JOIN LATERAL (SELECT 10 / c.score AS k) x
