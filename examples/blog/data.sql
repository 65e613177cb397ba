-- 200 sites, 20,000 posts, 100,000 comments and 4,000 bookmarks of 500 accounts,
-- the same each time. Identities count from 1 in the order of the series, so
-- post n is of site (n - 1) % 200 + 1.

INSERT INTO country VALUES
    ('AT', 'Austria'), ('BR', 'Brazil'), ('CA', 'Canada'), ('DE', 'Germany'), ('FR', 'France'),
    ('IN', 'India'), ('JP', 'Japan'), ('KE', 'Kenya'), ('NZ', 'New Zealand'), ('US', 'United States');

INSERT INTO site (slug, name, country)
SELECT 'site-' || n, 'Site ' || n, (ARRAY['AT', 'BR', 'CA', 'DE', 'FR', 'IN', 'JP', 'KE', 'NZ', 'US'])[n % 10 + 1]
FROM generate_series(1, 200) AS n;

INSERT INTO account (name)
SELECT 'Reader ' || n
FROM generate_series(1, 500) AS n;

INSERT INTO post (site_id, slug, author, title, body, created_at)
SELECT (n - 1) % 200 + 1,
       'post-' || n,
       'Author ' || n % 37,
       (ARRAY['Notes on', 'A history of', 'Against', 'In praise of', 'Questions about'])[n % 5 + 1]
           || (ARRAY[' gardens', ' bridges', ' rivers', ' trains', ' maps', ' bread', ' clocks'])[n % 7 + 1],
       repeat('Lorem ipsum dolor sit amet. ', n % 8 + 1),
       timestamptz '2025-01-01 00:00+00' + n * interval '25 minutes'
FROM generate_series(1, 20000) AS n;

-- Scattered; a post in seven has no comment, and the next one has its share.
INSERT INTO comment (post_id, author, body, created_at)
SELECT place + (place % 7 = 0)::int + 1,
       'Reader ' || n % 500 + 1,
       'Comment ' || n,
       timestamptz '2026-01-01 00:00+00' + n * interval '1 minute'
FROM generate_series(1, 100000) AS n, LATERAL (SELECT abs(hashint8(n)::bigint) % 19999) AS scattered (place);

-- Each account reads on two sites; account 1 on sites 1 and 101.
INSERT INTO bookmark (post_id, user_id, note)
SELECT (account * 13 + n * 100) % 20000 + 1, account + 1, 'Read later, ' || n + 1
FROM generate_series(0, 499) AS account, generate_series(0, 7) AS n;

ANALYZE;
