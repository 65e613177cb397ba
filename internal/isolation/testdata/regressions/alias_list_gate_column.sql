-- seed 21, scope one, SELECT 0
-- scope: one
-- a gate names the scope column, which the alias list renamed
SELECT count(*) FROM category t22 (r23, r24) WHERE parent_id IS DISTINCT FROM 100 * n
