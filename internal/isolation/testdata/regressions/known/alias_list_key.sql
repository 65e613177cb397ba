-- written by hand
-- scope: one
-- with a column alias list the key no longer determines the other columns
SELECT t1.k, t1.n FROM task t1 (k) GROUP BY t1.k
