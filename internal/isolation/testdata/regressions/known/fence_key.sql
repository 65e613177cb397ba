-- written by hand
-- scope: one
-- the key of a fenced table does not determine its other columns
SELECT c.id, c.body, count(*) FROM comment c CROSS JOIN LATERAL (SELECT 10 / c.score AS k) x GROUP BY c.id
