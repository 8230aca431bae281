-- AFTER triggers run as the role that was active when their event was queued: deferred triggers that write sources and read tv tables
-- after SET ROLE and SET SESSION AUTHORIZATION, by functions with SECURITY DEFINER, and for roles that are gone.
\set ECHO none
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_tviews_owner, regress_tviews_clerk, regress_tviews_guest;
CREATE ROLE regress_tviews_owner;
CREATE ROLE regress_tviews_clerk;
CREATE ROLE regress_tviews_guest;
CREATE SCHEMA since_18_trigger_roles;
SET search_path = since_18_trigger_roles, public;
GRANT CREATE, USAGE ON SCHEMA since_18_trigger_roles TO regress_tviews_owner;
GRANT USAGE ON SCHEMA since_18_trigger_roles TO PUBLIC;

-- Only the owner and the clerk may write. What the deferred trigger does, it does with the rights of the role that wrote the entry.
SET ROLE regress_tviews_owner;
CREATE TABLE tb_account (pk_account int PRIMARY KEY, balance int);
CREATE TABLE tb_entry (pk_entry int PRIMARY KEY, fk_account int, amount int);
CREATE TABLE tb_booking (pk_booking int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, fk_entry int, by name, seen int);
INSERT INTO tb_account VALUES (1, 0), (2, 0);
CREATE FUNCTION book() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tb_account SET balance = balance + NEW.amount WHERE pk_account = NEW.fk_account;
    INSERT INTO tb_booking (fk_entry, by, seen)
    SELECT NEW.pk_entry, current_user, t.balance FROM tv_account t WHERE t.pk_account = NEW.fk_account;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER book AFTER INSERT ON tb_entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION book();
CREATE VIEW v_account AS
SELECT a.pk_account, a.balance, (SELECT count(*) FROM tb_entry e WHERE e.fk_account = a.pk_account) AS entries FROM tb_account a;
CREATE VIEW v_entry AS
SELECT e.pk_entry, e.amount, a.balance, (SELECT jsonb_agg(b.by ORDER BY b.by) FROM tb_booking b WHERE b.fk_entry = e.pk_entry) AS by
  FROM tb_entry e LEFT JOIN tb_account a ON a.pk_account = e.fk_account;
SELECT pg_tviews_create('account');
SELECT pg_tviews_create('entry');
GRANT SELECT, INSERT, UPDATE ON tb_account, tb_entry, tb_booking, tv_account TO regress_tviews_clerk;
RESET ROLE;
CREATE FUNCTION enter(entry int, account int, amount int) RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = since_18_trigger_roles, pg_temp AS 'INSERT INTO tb_entry VALUES (entry, account, amount)';
ALTER FUNCTION enter OWNER TO regress_tviews_clerk;

-- A deferred trigger of a tv table, which reports who it runs as.
SET ROLE regress_tviews_owner;
CREATE TABLE written (at int GENERATED ALWAYS AS IDENTITY, entry int, by name);
CREATE FUNCTION note_written() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN INSERT INTO since_18_trigger_roles.written (entry, by) VALUES (NEW.pk_entry, current_user); RETURN NULL; END$$;
CREATE CONSTRAINT TRIGGER note_written AFTER INSERT ON tv_entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note_written();
RESET ROLE;

-- Each step: the roles of the triggers and the balances they have seen, those of the tv table's trigger, and the judge.
CREATE FUNCTION report(entry int) RETURNS text LANGUAGE sql AS $$
    SELECT format('    booked by %s; written by %s',
                  (SELECT string_agg(by || ', who saw ' || seen, '; ' ORDER BY pk_booking) FROM tb_booking WHERE fk_entry >= entry),
                  (SELECT string_agg(DISTINCT by, ', ') FROM written w WHERE w.entry >= report.entry))
$$;
SELECT 'BEGIN; ' || step || '; COMMIT', 'RESET SESSION AUTHORIZATION', 'RESET ROLE', 'CALL pg_tviews_drain()',
       format('SELECT judge(%L, %L, %L)', 'drained', 'account,entry', step), format('SELECT report(%s)', 10 * number)
  FROM unnest(ARRAY[
    $$INSERT INTO tb_entry VALUES (10, 1, 100)$$,
    $$SET ROLE regress_tviews_guest; SELECT enter(20, 1, -30)$$,
    $$SET ROLE regress_tviews_clerk; INSERT INTO tb_entry VALUES (30, 2, 30); SET ROLE regress_tviews_guest$$,
    $$SET SESSION AUTHORIZATION regress_tviews_clerk; INSERT INTO tb_entry VALUES (40, 2, 1); SET SESSION AUTHORIZATION regress_tviews_guest$$,
    $$SET ROLE regress_tviews_clerk; INSERT INTO tb_entry VALUES (50, 1, 5); SET ROLE regress_tviews_guest; SET CONSTRAINTS ALL IMMEDIATE$$,
    $$SET ROLE regress_tviews_owner; INSERT INTO tb_entry VALUES (60, 1, 6); SET ROLE regress_tviews_clerk; INSERT INTO tb_entry VALUES (61, 1, 7); RESET ROLE$$,
    $$SET ROLE regress_tviews_clerk; SAVEPOINT s; INSERT INTO tb_entry VALUES (70, 1, 1000); ROLLBACK TO s; INSERT INTO tb_entry VALUES (71, 2, 3); RESET ROLE$$,
    $$INSERT INTO tb_entry SELECT n, 2, 1 FROM (VALUES (80, 'regress_tviews_owner'), (81, 'regress_tviews_clerk')) v(n, r), LATERAL set_config('role', r, true)$$])
       WITH ORDINALITY s(step, number)
\gexec

-- Prepared: the triggers run before, as the role that wrote.
BEGIN;
SET LOCAL ROLE regress_tviews_guest;
SELECT enter(90, 1, 9);
PREPARE TRANSACTION 'since_18_trigger_roles';
CALL pg_tviews_drain();
SELECT count(*) FROM tv_entry WHERE pk_entry = 90;
COMMIT PREPARED 'since_18_trigger_roles';
CALL pg_tviews_drain();
SELECT judge('drained', 'account,entry', 'prepared');
SELECT report(90);

-- The AFTER trigger of TRUNCATE on a tv table, for a role that may do nothing itself.
CREATE FUNCTION empty() RETURNS void LANGUAGE sql SECURITY DEFINER
    SET search_path = since_18_trigger_roles, pg_temp AS 'TRUNCATE tv_entry';
ALTER FUNCTION empty OWNER TO regress_tviews_owner;
BEGIN;
SET LOCAL ROLE regress_tviews_guest;
SELECT empty();
COMMIT;
SELECT count(*) FROM tv_entry;
CALL pg_tviews_drain();
SELECT judge('drained', 'account,entry', 'truncated');

-- A role that is gone by then. What it wrote is followed all the same.
CREATE ROLE regress_tviews_gone;
GRANT SELECT, INSERT, UPDATE ON tb_account, tb_entry, tv_account TO PUBLIC;
CREATE FUNCTION balance_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tb_account SET balance = balance + NEW.amount WHERE pk_account = NEW.fk_account;
    UPDATE tb_account SET balance = t.balance + 1000 FROM tv_account t WHERE t.pk_account = 1 AND tb_account.pk_account = 1;
    RETURN NULL;
END $$;
ALTER TABLE tb_entry DISABLE TRIGGER book;
CREATE CONSTRAINT TRIGGER balance_only AFTER INSERT ON tb_entry DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION balance_only();
BEGIN;
SET LOCAL ROLE regress_tviews_gone;
INSERT INTO tb_entry VALUES (100, 1, 10);
RESET ROLE;
DROP ROLE regress_tviews_gone;
COMMIT;
CALL pg_tviews_drain();
SELECT judge('drained', 'account,entry', 'a role that is gone');
SELECT balance FROM tv_account WHERE pk_account = 1;
DROP TRIGGER balance_only ON tb_entry;
ALTER TABLE tb_entry ENABLE TRIGGER book;

-- Code of the owner that a session could be prepared for does not run in a trigger of another role, whoever commits.
SET ROLE regress_tviews_owner;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 2 * n; END';
CREATE OR REPLACE VIEW v_account AS
SELECT a.pk_account, a.balance, (SELECT count(*) FROM tb_entry e WHERE e.fk_account = a.pk_account) AS entries, twice(a.balance) AS double
  FROM tb_account a;
SELECT pg_tviews_create('account');
CALL pg_tviews_drain();
UPDATE tb_account SET balance = 0;
CALL pg_tviews_drain();
SET client_min_messages = notice;
\echo queued by the owner, committed by the owner
BEGIN; INSERT INTO tb_entry VALUES (110, 1, 1); COMMIT;
\echo queued by another role, committed by the owner
RESET ROLE;
BEGIN; SET LOCAL ROLE regress_tviews_clerk; INSERT INTO tb_entry VALUES (120, 2, 1); SET LOCAL ROLE regress_tviews_owner; COMMIT;
\echo queued by the owner, committed by another role
BEGIN; SET LOCAL ROLE regress_tviews_owner; INSERT INTO tb_entry VALUES (130, 2, 1); SET LOCAL ROLE regress_tviews_clerk; COMMIT;
SET client_min_messages = warning;
CALL pg_tviews_drain();
SELECT judge('drained', 'account,entry', 'sandboxed');
SELECT report(110);

DROP SCHEMA since_18_trigger_roles CASCADE;
DROP OWNED BY regress_tviews_owner, regress_tviews_clerk, regress_tviews_guest;
DROP ROLE regress_tviews_owner, regress_tviews_clerk, regress_tviews_guest;
