-- written by hand
-- scope: one
SELECT id FROM note WHERE 'alpha' LIKE pat
