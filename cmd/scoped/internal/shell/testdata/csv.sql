SELECT id, title, votes, published, meta FROM post ORDER BY id;
UPDATE post SET votes = votes;
SELECT '\.' AS "a ""name""", NULL AS b;
