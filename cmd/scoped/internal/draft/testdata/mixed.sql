-- A schema for each school with nothing but the school in its name, rows of sites in
-- them, no template, and others that are no school's.
CREATE TABLE site (id bigint PRIMARY KEY);
CREATE TABLE article (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES site);
CREATE TABLE school (id bigint PRIMARY KEY, code varchar(40) NOT NULL UNIQUE, schema_name text NOT NULL);
INSERT INTO school VALUES (1, 'north', 'x'), (2, 'south', 'x'), (3, 'w est', 'x');
DO $do$
DECLARE s text;
BEGIN
  FOREACH s IN ARRAY ARRAY['north', 'south', 'w est'] LOOP
    EXECUTE format('CREATE SCHEMA %I', s);
    EXECUTE format('SET LOCAL search_path = %I', s);
    CREATE DOMAIN grade AS int;
    CREATE TABLE class (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES public.site, name text);
    CREATE TABLE pupil (id bigint PRIMARY KEY, class_id bigint NOT NULL REFERENCES class, mate_id bigint REFERENCES pupil, article_id bigint REFERENCES public.article, grade grade);
    CREATE TABLE holiday (day date PRIMARY KEY);
    CREATE TABLE duel (id bigint PRIMARY KEY, home_site_id bigint NOT NULL REFERENCES public.site, guest_site_id bigint NOT NULL REFERENCES public.site);
    CREATE VIEW class_list AS SELECT id, site_id FROM class;
  END LOOP;
END $do$;
SET search_path = public;
CREATE VIEW northern AS SELECT id FROM north.class;
CREATE TABLE fair (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES site, class_id bigint REFERENCES north.class);
CREATE SCHEMA audit;
CREATE TABLE audit.entry (id bigint PRIMARY KEY, site_id bigint NOT NULL REFERENCES site);
CREATE SCHEMA tools;
CREATE FUNCTION tools.slugify(text) RETURNS text LANGUAGE sql AS $$ SELECT lower($1) $$;
CREATE FUNCTION south.first_class() RETURNS bigint LANGUAGE sql SET search_path = south AS $$ SELECT min(id) FROM class $$;
CREATE FUNCTION north.first_class() RETURNS bigint LANGUAGE sql SET search_path = north AS $$ SELECT min(id) FROM class $$;
CREATE FUNCTION "w est".first_class() RETURNS bigint LANGUAGE sql SET search_path = "w est" AS $$ SELECT min(id) FROM class $$;
