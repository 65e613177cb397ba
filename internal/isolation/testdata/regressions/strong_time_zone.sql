-- written by hand
-- scope: one
SELECT id FROM log_access WHERE timestamp '2026-01-01 00:00:00' AT TIME ZONE zone IS NOT NULL
