//! Whatever can change a row is followed: every column of every catalog, and every command that fires event triggers.

mod columns;
mod commands;

/// A view that reaches an object of every kind.
const OBJECTS: &str = r#"
CREATE ROLE ddl_catalogs_owner; CREATE ROLE ddl_catalogs_team;
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE addr AS (street text, zip text);
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE FUNCTION span_diff(a float8, b float8) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT a - b';
CREATE TYPE span AS RANGE (subtype = float8, subtype_diff = span_diff);
CREATE LANGUAGE spoken HANDLER plpgsql_call_handler;
CREATE TRANSFORM FOR mood LANGUAGE spoken (FROM SQL WITH FUNCTION dsimple_init(internal));
CREATE FUNCTION transformed(m mood) RETURNS text LANGUAGE spoken TRANSFORM FOR TYPE mood AS 'SELECT 1';
CREATE FUNCTION lowest(s int, n int) RETURNS int IMMUTABLE LANGUAGE sql BEGIN ATOMIC SELECT least(s, n); END;
CREATE AGGREGATE best(int) (sfunc = lowest, stype = int, initcond = '7');
CREATE SCHEMA apart;
CREATE FUNCTION apart.near(a int, b int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT a = b';
CREATE OPERATOR ~~~ (leftarg = int, rightarg = int, function = apart.near);
CREATE FUNCTION as_json(m mood) RETURNS json IMMUTABLE LANGUAGE sql AS 'SELECT NULL::json';
CREATE CAST (mood AS json) WITH FUNCTION as_json(mood);
CREATE FUNCTION compare(a addr, b addr) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 0';
CREATE FUNCTION alike(a addr, b addr) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR <~> (leftarg = addr, rightarg = addr, function = alike);
CREATE OPERATOR CLASS by_zip DEFAULT FOR TYPE addr USING btree AS OPERATOR 3 <~>, FUNCTION 1 compare(addr, addr);
CREATE COLLATION by_bytes (provider = libc, locale = 'C');
CREATE TEXT SEARCH PARSER words (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);
CREATE TEXT SEARCH TEMPLATE kept (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY stems (template = kept);
CREATE TEXT SEARCH CONFIGURATION conf (parser = words);
ALTER TEXT SEARCH CONFIGURATION conf ADD MAPPING FOR asciiword WITH stems;
CREATE CONVERSION pg_catalog.ours FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
UPDATE pg_conversion SET condefault = true WHERE conname = 'ours';
CREATE TABLE tb_p (pk_p int PRIMARY KEY, n int DEFAULT 7, mood mood, home addr, brief short, span span, body text);
CREATE TABLE apart.tb_q (q int);
CREATE VIEW below AS SELECT 1 AS one;
ALTER TABLE tb_p ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON tb_p TO ddl_catalogs_team USING (n > 0);
CREATE VIEW v_p AS SELECT pk_p, mood, home, brief, span, transformed(mood) AS told, n ~~~ 2 AS near, to_tsvector('conf', body) AS words,
    (SELECT best(o.n) FROM tb_p o) AS best, body < 'a' COLLATE by_bytes AS less,
    (SELECT one FROM below), (SELECT count(*) FROM apart.tb_q) AS n FROM tb_p;
CREATE TABLE tv_p (pk_p int PRIMARY KEY);
GRANT CREATE ON SCHEMA public TO ddl_catalogs_owner;
GRANT USAGE ON SCHEMA apart TO ddl_catalogs_owner;
GRANT SELECT ON below TO ddl_catalogs_owner;
GRANT SELECT, TRIGGER ON apart.tb_q TO ddl_catalogs_owner;
ALTER TABLE tb_p OWNER TO ddl_catalogs_owner; ALTER TABLE tv_p OWNER TO ddl_catalogs_owner; ALTER VIEW v_p OWNER TO ddl_catalogs_owner;
"#;
