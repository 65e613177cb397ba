-- seed 61, scope one, write 1095
-- scope: one
-- evaluated on a row of others, before an equality: 22023 time zone "poison/zone" not recognized
(SELECT FROM event q1 JOIN log_access ON q1.id = ANY (SELECT 1 FROM jsonb_array_elements (doc) WHERE '2026-01-01 00:00:00' AT TIME ZONE zone IS NULL))
