-- Keys of many types, also written by sessions whose text formats differ.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA keys_of_many_types;
SET search_path = keys_of_many_types, public;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN code AS varchar(8);
CREATE TYPE pair AS (x int, y text);
CREATE TABLE tb_many (pk_many int PRIMARY KEY, t text, vc varchar(10), bc char(6), u uuid, n numeric, b8 bigint, i2 smallint,
    f8 float8, f4 real, bo boolean, d date, ts timestamp, tz timestamptz, iv interval, tm time, by bytea, e mood,
    dom code, ia int[], ta text[], r int4range, mr int4multirange, net inet, nm name, ch "char", o oid, p pair, j jsonb, bi bit(4), mac macaddr,
    note text);
INSERT INTO tb_many VALUES
    (1, 'a', 'a', 'a', '00000000-0000-0000-0000-000000000001', 1.0, 9007199254740993, 1, 0.1, 0.1, true, '2024-01-02',
     '2024-01-02 03:04:05.678901', '2024-01-02 03:04:05.678901+00', '1 mon -2 days 3.5 sec', '01:02:03', '\x00ff', 'sad', 'x', '{1,2}',
     '{a,"b,c"}', '[1,5)', '{[1,2),[4,5)}', '10.0.0.1/8', 'n', 'c', 4000000000, '(1,"a b")', '{"k": [1, null]}', '1010', '08:00:2b:01:02:03', 'first'),
    (2, E'quote '' " \\ \n tab\t', 'ünï', 'b', '00000000-0000-0000-0000-000000000002', -0.00001, -9223372036854775808, -32768, '-Infinity', 'NaN', false,
     'infinity', '0044-03-15 00:00:00 BC', '1999-12-31 23:59:59.999999-08', '-1 year', '23:59:59.999999', '', 'ok', '', '{}', '{NULL,"NULL",""}', 'empty', '{}',
     '::1', 'Ñ', ' ', 0, '(,)', '"s"', '0000', '00:00:00:00:00:00', 'second'),
    (3, '', '', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 123456789012345678901234567890.123456789, 9223372036854775807, 32767,
     1.7976931348623157e308, 1e-30, NULL, '0001-01-01', '2024-10-27 01:30:00', '2024-10-27 00:30:00+00', '0', '00:00', '\x5c27', 'happy', 'y', '{{1,2},{3,NULL}}', '{}', '(,)', '{(,)}',
     '192.168.0.0/16', '', '', 1, NULL, 'null', '1111', 'ff:ff:ff:ff:ff:ff', 'third');

DO $$
DECLARE
    k text;
BEGIN
    FOREACH k IN ARRAY '{t,vc,bc,u,n,b8,i2,f8,f4,d,ts,tz,iv,tm,by,e,dom,ia,ta,r,mr,net,nm,ch,o,j,bi,mac}'::text[] LOOP
        EXECUTE format('CREATE VIEW v_k_%1$s AS SELECT %1$s, pk_many, note FROM tb_many', k);
        PERFORM pg_tviews_create('k_' || k, key_columns => ARRAY[k]);
    END LOOP;
END $$;
CREATE VIEW v_two AS SELECT pk_many, t, note FROM tb_many;
CREATE VIEW v_three AS SELECT tz, t, n, note FROM tb_many;
SELECT pg_tviews_create('two', key_columns => '{pk_many,t}');
SELECT pg_tviews_create('three', key_columns => '{tz,t,n}');

SELECT command FROM run_case('k_t,k_vc,k_bc,k_u,k_n,k_b8,k_i2,k_f8,k_f4,k_d,k_ts,k_tz,k_iv,k_tm,k_by,k_e,k_dom,k_ia,k_ta,k_r,k_mr,k_net,k_nm,k_ch,k_o,k_j,k_bi,k_mac,two,three',
    $$UPDATE tb_many SET note = 'plain'$$,
    $$SET LOCAL datestyle = 'German'; SET LOCAL timezone = 'Asia/Kathmandu'; SET LOCAL intervalstyle = 'iso_8601';
      SET LOCAL extra_float_digits = -10; SET LOCAL bytea_output = 'escape'; SET LOCAL lc_monetary = 'C';
      UPDATE tb_many SET note = 'other formats'$$,
    $$SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL timezone = 'PST8PDT'; SET LOCAL intervalstyle = 'sql_standard'; UPDATE tb_many SET note = 'others'$$,
    $$UPDATE tb_many SET t = t || '+', vc = vc || '+', bc = trim(bc) || '+', u = md5(u::text)::uuid, n = n + 1, b8 = b8 / 3, i2 = i2 / 3, f8 = f8 / 3, f4 = f4 * 0.3,
      d = d + 1, ts = ts + '1 us', tz = tz + '1 us', iv = iv + '1 us', tm = tm + '1 hour', by = by || '\x01', ia = ARRAY[[pk_many, NULL]], ta = ARRAY['x,' || pk_many],
      net = net + 1, nm = nm || 'x', o = o::bigint + 5, j = jsonb_build_array(j), bi = ~bi, note = 'moved'$$,
    $$SET LOCAL datestyle = 'German'; SET LOCAL timezone = 'Asia/Kathmandu'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = -10;
      SET LOCAL bytea_output = 'escape'; DELETE FROM tb_many WHERE pk_many = 2$$,
    $$UPDATE tb_many SET n = 2.000, note = 'the same number' WHERE n = 2.0$$,
    $$DELETE FROM tb_many$$)
\gexec

DROP SCHEMA keys_of_many_types CASCADE;
