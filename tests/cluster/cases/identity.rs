//! Keys of every kind, names that must be quoted, values that must not be misread.

use super::{live, Case, PLAIN};

#[test]
fn keys_that_are_uuid_text_or_composite() {
    let tables = "
        CREATE TABLE tb_thing (id uuid PRIMARY KEY, code text NOT NULL UNIQUE, n int NOT NULL);
        CREATE TABLE tb_part (n int, code text, note text, PRIMARY KEY (n, code));
        INSERT INTO tb_thing SELECT md5(i::text)::uuid, 'c' || i, i FROM generate_series(1, 9) i;";
    let tviews = &[
        ("thing", "SELECT id, jsonb_build_object('code', code, 'n', n) AS data FROM tb_thing", ""),
        ("code", "SELECT t.code, t.n, count(p.n) AS parts FROM tb_thing t LEFT JOIN tb_part p ON p.code = t.code GROUP BY t.code, t.n", "{code}"),
        ("part", "SELECT p.n, p.code, p.note, t.id FROM tb_part p LEFT JOIN tb_thing t ON t.code = p.code", "{n,code}"),
    ];
    let statements = &[
        "INSERT INTO tb_thing VALUES (md5('{20}')::uuid, 'c{20}', {9}) ON CONFLICT DO NOTHING",
        "UPDATE tb_thing SET n = {99} WHERE id = md5('{20}')::uuid",
        "UPDATE tb_thing SET code = 'c{20}' WHERE id = md5('{20}')::uuid",
        "UPDATE tb_thing SET code = code || ' \"x\" ''y'' \\ é☃' WHERE id = md5('{20}')::uuid AND length(code) < 40",
        "DELETE FROM tb_thing WHERE code = 'c{20}'",
        "INSERT INTO tb_part SELECT {5}, code, 'note {100}' FROM tb_thing WHERE n < {20} ON CONFLICT DO NOTHING",
        "UPDATE tb_part SET n = {5}, note = NULLIF('{3}', '3') WHERE n = {5} AND code = 'c{20}'",
        "UPDATE tb_part SET code = 'c{20}' WHERE n = {5} AND code = 'c{20}'",
        "DELETE FROM tb_part WHERE n = {5} AND code < 'c{20}'",
    ];
    live(
        "keys",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn names_that_must_be_quoted() {
    let tables = r#"
        CREATE TABLE "tb_Odd ""Name'" ("pk Odd" int PRIMARY KEY, "Sel;ect" text, "a_column_name_of_exactly_sixty_three_bytes_so_it_is_the_longest" int);
        INSERT INTO "tb_Odd ""Name'" SELECT i, 'x', i FROM generate_series(1, 5) i;"#;
    let tviews = &[(
        "odd",
        r#"SELECT "pk Odd", "Sel;ect", "a_column_name_of_exactly_sixty_three_bytes_so_it_is_the_longest" AS "L" FROM "tb_Odd ""Name'""#,
        "{\"pk Odd\"}",
    )];
    let statements = &[
        r#"INSERT INTO "tb_Odd ""Name'" VALUES ({12}, 'it''s {9}', {9}) ON CONFLICT DO NOTHING"#,
        r#"UPDATE "tb_Odd ""Name'" SET "Sel;ect" = E'\\ " {99}' WHERE "pk Odd" = {12}"#,
        r#"UPDATE "tb_Odd ""Name'" SET "pk Odd" = {12} WHERE "pk Odd" = {12}"#,
        r#"DELETE FROM "tb_Odd ""Name'" WHERE "pk Odd" = {12}"#,
    ];
    live(
        "quoted",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn large_documents_and_types_without_equality() {
    let tables = "
        CREATE TABLE tb_doc (pk_doc int PRIMARY KEY, body text, j json, x xml, p point);
        INSERT INTO tb_doc SELECT i, repeat('word ' || i, 300000), '{\"a\": 1}', '<a/>', '(1,2)' FROM generate_series(1, 3) i;";
    let tviews = &[(
        "doc",
        "SELECT pk_doc, jsonb_build_object('body', body, 'j', j, 'x', x::text, 'p', p::text) AS data FROM tb_doc",
        "",
    )];
    let statements = &[
        "INSERT INTO tb_doc VALUES ({6}, repeat('new {9} ', 200000), '{\"a\": {9}}', '<b/>', '({9},{9})') ON CONFLICT DO NOTHING",
        "UPDATE tb_doc SET body = body || '{9}' WHERE pk_doc = {6}",
        "UPDATE tb_doc SET j = '[{9}, \"x\"]' WHERE pk_doc = {6}",
        "UPDATE tb_doc SET x = '<c n=\"{9}\"/>', p = '({9},0)' WHERE pk_doc = {6}",
        "DELETE FROM tb_doc WHERE pk_doc = {6}",
    ];
    live(
        "documents",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}

#[test]
fn times_and_numbers_as_keys_survive_odd_session_settings() {
    let tables = "
        CREATE TABLE tb_time (at timestamptz, amount numeric, f float8, n int, PRIMARY KEY (at, amount, f));
        CREATE TABLE tb_note (pk_note int PRIMARY KEY, at timestamptz, note text);";
    let tviews = &[(
        "time",
        "SELECT t.at, t.amount, t.f, t.n, count(o.pk_note) AS notes FROM tb_time t LEFT JOIN tb_note o ON o.at = t.at
          GROUP BY t.at, t.amount, t.f, t.n",
        "{at,amount,f}",
    )];
    let statements = &[
        "SET LOCAL TimeZone = 'Asia/Kolkata'; SET LOCAL DateStyle = 'SQL, DMY'; SET LOCAL extra_float_digits = -10;
         INSERT INTO tb_time VALUES ('epoch'::timestamptz + {9} * interval '1 day 1 microsecond', {9} / 3.0, {9} / 3.0::float8, {9}) ON CONFLICT DO NOTHING",
        "SET LOCAL DateStyle = 'German'; UPDATE tb_time SET n = {99} WHERE n = {9}",
        "SET LOCAL DateStyle = 'Postgres, MDY'; DELETE FROM tb_time WHERE n = {9}",
        "SET LOCAL TimeZone = 'America/St_Johns'; INSERT INTO tb_note VALUES ({30}, 'epoch'::timestamptz + {9} * interval '1 day 1 microsecond', 'n')
         ON CONFLICT (pk_note) DO UPDATE SET at = EXCLUDED.at",
        "DELETE FROM tb_note WHERE pk_note = {30}",
    ];
    live(
        "times",
        &Case {
            tables,
            tviews,
            statements,
            ..PLAIN
        },
    );
}
