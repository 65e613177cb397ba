-- written by hand
-- scope: one
SELECT num FROM stock WHERE num::integer >= 0 UNION SELECT num FROM task WHERE num::integer >= 0
