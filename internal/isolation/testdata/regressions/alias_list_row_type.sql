-- seed 7, scope one, SELECT 1192
-- scope: one
-- refused: with a column alias list the row has no type of its own
SELECT t1 FROM award t1 (r3)
