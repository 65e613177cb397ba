BEGIN;
\scope site=2
\scope none
\disable x
UPDATE post SET votes = 99 WHERE id = 1;
SELECT * FROM nope;
SELECT votes FROM post WHERE id = 1;
SELECT 1/0;
SELECT 1;
\scope site=2
ROLLBACK;
\scope site=2
\scope site=1
SELECT votes FROM post WHERE id = 1;
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM post ORDER BY id;
FETCH 2 FROM c;
COMMIT;
FETCH 2 FROM c;
COMMIT;
BEGIN;
