\d
SELECT * FROM invoice;
\scope tenant=_template
\lookup tenant.id=nobody
\lookup tenant.id=O'Neil
\scope site=1
\scope
\d
\dt "t_O'Neil".inv*
\d invoice
SELECT id, status, total FROM invoice ORDER BY id;
\sql
SELECT l.*, nextval('ticket_number') FROM invoice_line l;
TABLE t_acme.invoice;
\copy (SELECT id, status, total FROM invoice ORDER BY id) to DIR/invoice.csv
DELETE FROM invoice_line;
DELETE FROM line_note;
\copy log_access to DIR/log.csv header
\scope tenant=acme
\copy log_access from DIR/log.csv header
\copy t_acme.log_access from DIR/log.csv header
\copy "t_O'Neil".log_access from DIR/log.csv header
\copy t__template.log_access from DIR/log.csv header
SELECT * FROM log_access ORDER BY at;
\scope tenant=acme,x
SELECT count(*) FROM usage;
SELECT count(*) FROM invoice;
