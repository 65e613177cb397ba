SELECT id, title, votes, published, meta FROM post ORDER BY id;
\pset null ∅
SELECT id, title, votes FROM post WHERE id < 4 ORDER BY id;
\x
SELECT id, title, votes, published FROM post WHERE id < 4 ORDER BY id;
SELECT 1 AS one WHERE false;
\x off
SELECT id FROM post WHERE id = 3 \gx
SELECT 1 AS one WHERE false;
INSERT INTO post (title) VALUES ('new') RETURNING id, site_id;
UPDATE post SET votes = 1 WHERE title = 'new';
DELETE FROM post WHERE title = 'new';
SELECT 'a column of a long name' AS "日本 and more";
SELECT;
