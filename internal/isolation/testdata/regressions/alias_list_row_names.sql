-- seed 5, scope one, SELECT 469
-- scope: one
-- refused: with a column alias list the row would have other names for its fields
SELECT row_to_json(t1) FROM category t1 (r3)
