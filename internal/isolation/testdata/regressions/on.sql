-- written by hand
-- scope: one
SELECT s.id FROM site s JOIN stock k ON k.qty = s.quota AND 10 / k.qty > 2
