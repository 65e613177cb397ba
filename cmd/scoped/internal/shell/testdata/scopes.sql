\scope
SELECT id FROM post;
\scope site=2
SELECT id FROM post;
\sql
\scope user=1 site=1,2
\scope
SELECT id, site_id FROM post ORDER BY id;
\sql
INSERT INTO post (title) VALUES ('whose?');
\scope site=*
SELECT count(*) FROM post;
\scope user=none
\scope
\scope sight=1
\scope site=x
\scope site
\scope none
\scope
SELECT count(*) FROM country;
\sql
SELECT count(*) FROM post;
\sql
\disable no terminal
