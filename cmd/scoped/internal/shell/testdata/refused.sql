SELECT * FROM secret;
SELECT *
FROM post p
JOIN unlisted u ON u.id = p.id;
SELECT * FORM post;
SELECT nope FROM post;
SELECT 1 / 0;
SELECT title::int FROM post;
UPDATE post SET site_id = 2 WHERE id = 1;
INSERT INTO country VALUES ('XX', 'X');
TRUNCATE post;
COPY post TO STDOUT;
COPY post FROM STDIN;
SELECT * FROM account;
SELECT $1;
SELECT 'unfinished;
