-- name: AddComments :copyfrom
INSERT INTO comment (post_id, body) VALUES ($1, $2);

-- name: MoveAll :batchexec
UPDATE post SET site_id = sqlc.arg(site) WHERE id = sqlc.arg(post);
