\lookup site.slug=acme
\scope
\lookup site.name=Twin
\lookup site.name='no such'
\lookup site.country.name=Iceland
\scope
\lookup user.email=eva@example.org
\scope
BEGIN;
\lookup site.slug=acme
