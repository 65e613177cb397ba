-- written by hand
-- scope: one
WITH w AS (SELECT id, 100 / n AS k FROM task) SELECT id FROM w WHERE k > 10
