-- seed 911, scope one, SELECT 3223
-- scope: one
-- before: 18
-- PostgreSQL takes a column that a condition makes constant for one that grouping sets leave constant, and does not sort by it
SELECT site_id FROM page GROUP BY GROUPING SETS ((num, site_id), (num), ()) ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES
