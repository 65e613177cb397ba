-- written by hand
-- scope: one
SELECT f FROM listing l, generate_series(1, 4, l.n) AS f
