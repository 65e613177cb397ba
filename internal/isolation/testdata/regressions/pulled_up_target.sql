-- written by hand
-- scope: one
SELECT q.k FROM (SELECT 10 / n AS k, num FROM bookmark) q WHERE q.k > 2
