CREATE SCHEMA "Ext 1";
CREATE EXTENSION pg_tviews SCHEMA "Ext 1";
-- CREATE EXTENSION itself refuses such a name.
ALTER SCHEMA "Ext 1" RENAME TO "ex""t'\";
CREATE SCHEMA "a"";'b\";
SET search_path = "a"";'b\", "ex""t'\";
CREATE TABLE "tb_x'\""" ("'; DROP TABLE public.bystander; --\" text PRIMARY KEY, "v'\" text, fk text);
CREATE TABLE "tb_y'\""" ("pk\'" text PRIMARY KEY, n text);
INSERT INTO "tb_y'\""" VALUES ($$\$$, '1'), ($$'$$, '2'), ('"', '3'), ($$'; DROP TABLE public.bystander; --\$$, '4');
INSERT INTO "tb_x'\""" SELECT "pk\'", n, "pk\'" FROM "tb_y'\""";
CREATE VIEW "v_x'\""" AS
    SELECT x."'; DROP TABLE public.bystander; --\", x."v'\", y.n FROM "tb_x'\""" x JOIN "tb_y'\""" y ON y."pk\'" = x.fk;
