-- seed 7, scope one, SELECT 1192
-- scope: one
-- with a column alias list the row is that of a subquery, without a type of its own
SELECT t1 FROM award t1 (r3)
