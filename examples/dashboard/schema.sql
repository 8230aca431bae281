-- Requests of web sites: a large table that only grows, but for what is cleaned up.

CREATE TABLE tb_site (
    pk_site bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL
);
CREATE TABLE tb_request (
    pk_request bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fk_site    bigint   NOT NULL REFERENCES tb_site,
    day        date     NOT NULL,
    status     smallint NOT NULL,
    duration   int      NOT NULL,
    bytes      bigint   NOT NULL
);
CREATE INDEX ON tb_request (fk_site, day);

INSERT INTO tb_site (name) SELECT 'site' || i || '.example' FROM generate_series(1, 20) i;
INSERT INTO tb_request (fk_site, day, status, duration, bytes)
SELECT 1 + i % 20, date '2026-01-01' + i / 10000, CASE WHEN i % 50 = 0 THEN 500 ELSE 200 END, 5 + i % 400, 1000 + i % 90000
  FROM generate_series(0, 299999) i;
ANALYZE;
