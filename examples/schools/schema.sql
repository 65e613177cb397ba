-- What all schools share.
CREATE TABLE account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    salt bytea NOT NULL,
    password bytea NOT NULL,
    admin boolean NOT NULL DEFAULT false
);
CREATE TABLE school (slug text PRIMARY KEY, name text NOT NULL);
CREATE TABLE membership (
    account_id bigint REFERENCES account,
    school text REFERENCES school,
    PRIMARY KEY (account_id, school)
);
CREATE TABLE session (
    token text PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account,
    school text REFERENCES school -- that was chosen last
);

-- What each school has for itself. Its schema is made from this one.
CREATE SCHEMA school__template;
CREATE TABLE school__template.class (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
CREATE TABLE school__template.pupil (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    class_id bigint NOT NULL REFERENCES school__template.class
);
CREATE TABLE school__template.mark (
    pupil_id bigint REFERENCES school__template.pupil,
    subject text,
    mark integer NOT NULL CHECK (mark BETWEEN 0 AND 100),
    PRIMARY KEY (pupil_id, subject)
);
