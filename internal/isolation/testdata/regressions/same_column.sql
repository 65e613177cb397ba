-- seed 923, scope one, SELECT 15163
-- scope: one
-- evaluated on a row of others, before an equality: 2201G count must be greater than zero
SELECT FROM setting q7 WHERE width_bucket(1.5, 0, 10, level) = width_bucket(1.5, 0, 10, q7.level)
