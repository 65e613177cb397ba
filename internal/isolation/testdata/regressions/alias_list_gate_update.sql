-- seed 21, scope one, write 734
-- scope: one
-- as before: rows are not updated
UPDATE task SET name = 'x' FROM category q2 (site_id, r4) WHERE days * q2.num::numeric BETWEEN 0 AND 9
