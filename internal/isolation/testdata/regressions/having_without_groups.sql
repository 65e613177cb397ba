-- written by hand
-- scope: one
SELECT count(*) FROM award WHERE steps < 9 HAVING bool_and(100 / steps > 0)
