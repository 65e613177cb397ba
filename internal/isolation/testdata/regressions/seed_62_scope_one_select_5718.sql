-- seed 62, scope one, SELECT 5718
-- scope: one
-- evaluated on a row of others, before an equality: 22P02 invalid input syntax for type numeric: " "
SELECT FROM shop WHERE (to_number (num, '999'), 1) = (to_number (num, '999'), 1)
