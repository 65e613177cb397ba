-- name: GetPost :one
SELECT p.id, c.name
FROM post AS p
	LEFT JOIN country AS c ON c.id = p.country_id
WHERE p.id = $1;

/* name: AddPost :exec */
INSERT INTO post (title) VALUES ($1), ('semi;colon'); -- a trailing comment

DELETE FROM comment WHERE id = $1; UPDATE post SET title = $$semi;colon$$;
-- Nothing but a comment is no statement.
;
