//! Tables that join or leave a source, as children or partitions, while workers run.

use crate::harness::{shared, Ask, Database, Load, Plan, Random};

const TABLES: &str = "
CREATE TABLE tb_city (pk_city int PRIMARY KEY, name text NOT NULL, people int);
INSERT INTO tb_city SELECT i, 'city ' || i, i FROM generate_series(1, 20) i;
SELECT pg_tviews_create('city', 'SELECT pk_city, name, people FROM tb_city');
SELECT pg_tviews_create('size', 'SELECT people AS id, count(*) AS n FROM tb_city GROUP BY people', key_columns => '{id}');
";

#[test]
fn wait_knows_of_rows_in_new_children() {
    let database = Database::new(shared(), "new_children");
    let mut client = database.client();
    client.run(TABLES);
    for round in 100..115 {
        // No trigger sees these rows before a worker has noticed the child.
        client.run(&format!("CREATE TABLE tb_{round} (extra int) INHERITS (tb_city)"));
        client.run(&format!("INSERT INTO tb_{round} VALUES ({round}, 'new', 7, 0)"));
        assert!(client.one::<bool>("SELECT pg_tviews_wait()"));
        let seen = client.rows(&format!("SELECT name FROM tv_city WHERE pk_city = {round}"));
        assert_eq!(seen, ["new"], "early in round {round}");
        client.run(&format!("UPDATE tb_{round} SET name = 'old'"));
        client.assert_follows(&["city", "size"]);
    }
}

#[test]
fn wait_knows_of_rows_that_came_or_went_with_a_table() {
    let database = Database::new(shared(), "joined_tables");
    let mut client = database.client();
    client.run(TABLES);
    client.run(
        "CREATE TABLE tb_capital (people int, name text, extra int, pk_city int);
         ALTER TABLE tb_capital ALTER name SET NOT NULL, ALTER pk_city SET NOT NULL;
         INSERT INTO tb_capital VALUES (5, 'capital', 0, 500);
         CREATE TABLE tb_sale (pk_sale int, region text NOT NULL, amount int) PARTITION BY LIST (region);
         CREATE TABLE tb_sale_north (amount int, region text NOT NULL, pk_sale int);
         INSERT INTO tb_sale_north VALUES (1, 'north', 1);
         SELECT pg_tviews_create('sale', 'SELECT pk_sale, amount FROM tb_sale', key_columns => '{pk_sale}')",
    );
    for _ in 0..8 {
        for command in [
            "tb_capital INHERIT tb_city",
            "tb_sale ATTACH PARTITION tb_sale_north FOR VALUES IN ('north')",
            "tb_capital NO INHERIT tb_city",
            "tb_sale DETACH PARTITION tb_sale_north",
        ] {
            client.run(&format!("ALTER TABLE {command}"));
            client.assert_follows(&["city", "size", "sale"]);
        }
    }
}

#[test]
fn children_come_and_go_under_load() {
    let database = Database::new(shared(), "children_load");
    let mut client = database.client();
    client.run(TABLES);
    client.run("CREATE TABLE tb_capital (people int, name text NOT NULL, state text, pk_city int NOT NULL)");
    client.run("INSERT INTO tb_capital VALUES (5, 'capital', 'one', 500)");
    let random = Random::announced("children_come_and_go_under_load");
    let plan = Plan {
        cluster: shared(),
        database: &database.name,
        statements: &[
            "UPDATE tb_city SET people = {5} WHERE pk_city = {20}",
            "UPDATE tb_city SET name = 'city {100}'",
            "UPDATE tb_capital SET people = {5}",
            "INSERT INTO tb_capital VALUES ({5}, 'more', NULL, 600 + {9})",
            "DELETE FROM tb_capital WHERE pk_city > 600",
        ],
        crashes: false,
    };
    Load::during(&plan, 2, &random, |load| {
        for _ in 0..4 {
            client.run("ALTER TABLE tb_capital INHERIT tb_city");
            load.let_pass(10);
            client.run("ALTER TABLE tb_capital NO INHERIT tb_city");
            load.let_pass(10);
        }
        client.run("ALTER TABLE tb_capital INHERIT tb_city");
        load.let_pass(10);
    });
    client.run("DELETE FROM tb_capital WHERE pk_city > 600");
    client.assert_follows(&["city", "size"]);
}
