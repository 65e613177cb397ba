-- seed 21, scope one, SELECT 749
-- scope: one
-- a gate names the scope column by its own name, which the alias list gave to another: rows are lost
SELECT count(*) FROM task t1 (project_id, r9) WHERE num::numeric BETWEEN 0 AND 9
