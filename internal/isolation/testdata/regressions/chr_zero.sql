-- written by hand
-- scope: one
SELECT id FROM reaction WHERE kind <> chr(weight)
