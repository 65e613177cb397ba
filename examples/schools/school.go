package main

import (
	"fmt"
	"log/slog"
	"net/http"
)

// The handlers of what a school has for itself. Their tables lie in a schema for
// each school, and nothing here says which: the scope in the context does.

func (s *server) pupils(w http.ResponseWriter, r *http.Request) error {
	rows, err := s.db.Query(r.Context(), `
		SELECT p.id, p.name, c.name, coalesce(avg(m.mark)::integer::text, 'no marks')
		FROM pupil p JOIN class c ON c.id = p.class_id LEFT JOIN mark m ON m.pupil_id = p.id
		GROUP BY p.id, c.id ORDER BY c.name, p.name`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name, class, mark string
		if err := rows.Scan(&id, &name, &class, &mark); err != nil {
			return err
		}
		fmt.Fprintf(w, "%d %s, %s: %s\n", id, name, class, mark)
	}
	return rows.Err()
}

func (s *server) addPupil(w http.ResponseWriter, r *http.Request) error {
	var id int64
	name := r.FormValue("name")
	err := s.db.QueryRow(r.Context(), `
		WITH c AS (
			INSERT INTO class (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id
		)
		INSERT INTO pupil (name, class_id) SELECT $1, id FROM c RETURNING id`,
		name, r.FormValue("class")).Scan(&id)
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "a pupil is enrolled", slog.Int64("pupil", id))
	fmt.Fprintln(w, id)
	return nil
}

func (s *server) addMark(_ http.ResponseWriter, r *http.Request) error {
	pupil, subject := r.PathValue("id"), r.FormValue("subject")
	_, err := s.db.Exec(r.Context(), `
		INSERT INTO mark (pupil_id, subject, mark) VALUES ($1, $2, $3)
		ON CONFLICT (pupil_id, subject) DO UPDATE SET mark = excluded.mark`,
		pupil, subject, r.FormValue("mark"))
	if err != nil {
		return err
	}
	s.log.InfoContext(r.Context(), "a mark is given", slog.String("pupil", pupil), slog.String("subject", subject))
	return nil
}
