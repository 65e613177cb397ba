-- What acme and site 1 see: its schema first in the search path, and nothing else.
DROP SCHEMA "t_O'Neil" CASCADE;
DELETE FROM usage WHERE tenant_id <> 'acme';
DELETE FROM t_acme.line_note WHERE line_id NOT IN (SELECT id FROM t_acme.invoice_line WHERE site_id = 1);
DELETE FROM t_acme.invoice_line WHERE site_id <> 1;
DELETE FROM t_acme."Archive" WHERE deleted_at IS NOT NULL;
DELETE FROM site WHERE id <> 1;
ALTER TABLE t_acme.invoice_line ALTER site_id SET DEFAULT 1;
