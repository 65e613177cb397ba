-- written by hand
-- scope: one
-- a row of a fenced table is a record
SELECT c FROM comment c CROSS JOIN LATERAL (SELECT 10 / c.score AS k) x
