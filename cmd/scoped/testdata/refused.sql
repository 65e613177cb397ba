-- name: Bookmarks :many
SELECT *
	FROM post AS p JOIN bookmark AS b ON b.post_id = p.id;

SELECT 'naïve'; SELECT * FROM secret;

-- The semicolons in the body end nothing.
CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;
CREATE RULE r AS ON INSERT TO post DO ALSO (SELECT 1; SELECT 2);
SELEC 1;
SELECT 'never closed; SELECT 2
