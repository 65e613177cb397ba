-- seed 5, scope one, SELECT 469
-- scope: one
-- with a column alias list the row has other names for its fields
SELECT row_to_json(t1) FROM category t1 (r3)
