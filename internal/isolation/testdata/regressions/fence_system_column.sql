-- seed 21, scope one, SELECT 10
-- scope: one
-- refused: a fenced table has no system columns
SELECT c.id, x.k FROM comment c CROSS JOIN LATERAL (SELECT 10 / c.score AS k) x WHERE c.tableoid IS NOT NULL
