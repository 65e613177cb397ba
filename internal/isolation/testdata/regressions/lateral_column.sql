-- seed 44, scope one, SELECT 1419
-- scope: one
-- evaluated on a row of others: a column that a subquery passes on
SELECT r.id FROM reaction r CROSS JOIN LATERAL (SELECT r.weight AS c5) x WHERE 10 / x.c5 > 2
