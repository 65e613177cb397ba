-- written by hand
-- scope: one
SELECT id FROM comment WHERE 'alpha' ~ pat
