SELECT id, title, votes, published, meta FROM post ORDER BY id;
UPDATE post SET votes = votes;
SELECT '\.' AS "a ""name""", NULL AS b;
SELECT 1 AS a, 2 AS a, 'NaN'::float8 AS a, 1.50 AS d, '12'::text AS t, now() IS NULL AS n, ARRAY[1,2] AS l;
