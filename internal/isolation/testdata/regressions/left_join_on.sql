-- written by hand
-- scope: one
SELECT p.id, r.id FROM post p LEFT JOIN reaction r ON r.id = p.id AND 10 / r.weight > 2
