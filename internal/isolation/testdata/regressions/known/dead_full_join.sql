-- seed 31, scope one, SELECT 1362
-- scope: one
-- a WITH query that nothing reads is planned, because the fence makes it MATERIALIZED
WITH l AS (SELECT FROM site JOIN tag_link ON true FULL JOIN (SELECT) q ON 1 * nums[1] >= 1), w AS (SELECT FROM l) SELECT
