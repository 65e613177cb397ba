-- written by hand, docs/guarantee.md
-- scope: one
-- an unqualified system column is not that of the table, here it is the outer query's
DELETE FROM award WHERE ctid IN (SELECT ctid FROM award WHERE id = 1)
