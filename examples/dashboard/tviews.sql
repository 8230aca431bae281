-- The read side of the dashboard. See README.md for what each shows.

-- One row per site. The group of a site has 15,000 rows and more.
SELECT pg_tviews_create('site', $$
    SELECT s.pk_site, s.name,
           r.requests, r.errors, r.mean_duration, r.longest, r.bytes
    FROM tb_site s
    LEFT JOIN (SELECT fk_site, count(*) AS requests, count(*) FILTER (WHERE status >= 500) AS errors,
                      avg(duration) AS mean_duration, max(duration) AS longest, sum(bytes) AS bytes
               FROM tb_request GROUP BY fk_site) r ON r.fk_site = s.pk_site
$$);

-- One row per site and day, for charts.
SELECT pg_tviews_create('site_day', $$
    SELECT fk_site, day, count(*) AS requests, count(*) FILTER (WHERE status >= 500) AS errors,
           avg(duration) AS mean_duration, sum(bytes) AS bytes
    FROM tb_request GROUP BY fk_site, day
$$, key_columns => '{fk_site,day}');

-- One row for everything.
SELECT pg_tviews_create('total', $$
    SELECT 1 AS pk_total, count(*) AS requests, count(*) FILTER (WHERE status >= 500) AS errors, sum(bytes) AS bytes
    FROM tb_request
$$);

-- The page of a site: the numbers of the site, and its last days. Each day is read from the view above.
SELECT pg_tviews_create('site_page', $$
    SELECT s.pk_site AS pk_site_page,
           jsonb_build_object(
               'site', s.name,
               'days', (SELECT coalesce(jsonb_agg(jsonb_build_object('day', d.day, 'requests', d.requests, 'errors', d.errors) ORDER BY d.day), '[]')
                        FROM tv_site_day d WHERE d.fk_site = s.pk_site)
           ) AS data
    FROM tb_site s
$$);
