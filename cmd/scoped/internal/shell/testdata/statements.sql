SELECT 'a;b', ";", $$;$$, $x$ ; $$ ; $x$, E'\';' -- ; it's a comment
    /* ; /* ; */ ' */ FROM (SELECT 1) AS t(";");
SELECT 1; SELECT 2
; -- behind it

/* nothing */;
SELECT (3; 4);
