-- written by hand
-- scope: one
SELECT id FROM task WHERE due + 1 > date '2026-01-01' AND date '2026-01-01' + days > date '2026-01-05'
