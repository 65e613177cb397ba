-- written by hand
-- scope: one
DELETE FROM award USING reaction r WHERE r.id = award.reaction_id AND 10 / r.weight > 100
