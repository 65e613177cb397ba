-- written by hand
-- scope: one
SELECT t.post_id, u.f FROM tag_link t CROSS JOIN LATERAL (SELECT 10 / t.nums[1] AS f) u WHERE u.f > 1
