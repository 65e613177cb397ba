-- written by hand
-- scope: one
SELECT id FROM award WHERE CASE WHEN steps >= 0 THEN 10 / steps > 2 ELSE false END
