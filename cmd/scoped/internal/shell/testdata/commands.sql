\echo  some text
\nope
\x maybe
\timing perhaps
\pset
\pset format xml
\g
SELECT 1
\p
\g
\p
\g
SELECT 2
\r
\e
\i
\?
\pset format csv
SELECT 3 AS three;
\q
SELECT 4;
