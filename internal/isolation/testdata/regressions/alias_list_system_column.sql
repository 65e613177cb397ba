-- seed 11, scope one, SELECT 204
-- scope: one
-- refused: with a column alias list the row has no system columns
SELECT t1.id FROM reaction t1 (id, r3) WHERE t1.tableoid IS NOT NULL
