-- name: Titles :many
SELECT title FROM post ORDER BY id;

-- name: Comments :many
SELECT p.title, c.body FROM comment c JOIN post p ON p.id = c.post_id ORDER BY c.id;

-- name: AddPost :one
INSERT INTO post (title) VALUES ($1) RETURNING id;

-- name: AddComment :exec
INSERT INTO comment (post_id, body) VALUES ($1, $2);

-- name: Rename :execrows
UPDATE post SET title = $2 WHERE id = $1;

-- name: Move :exec
UPDATE post SET site_id = sqlc.arg(site) WHERE id = sqlc.arg(post);
