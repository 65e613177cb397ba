-- seed 42, scope one, SELECT 93
-- scope: one
-- the rewrite does not parse, the certificate refuses it
SELECT FROM (VALUES (true)) q1 JOIN LATERAL (WITH w2 AS NOT MATERIALIZED (VALUES ((SELECT true FROM category))) SELECT 1 FROM w2) t10 ON true WHERE EXISTS (SELECT FROM comment WHERE num::integer > 0)
