//! Whether the time of a refreshed key depends on how many rows the tv table has.

use crate::compare::{in_turn, milliseconds, Measured};
use crate::harness::Ask;
use crate::report::{Reach, Report};
use crate::scale::Scale;
use crate::world::{caught_up, patient, start_cluster};

/// Keys per refresh: few enough that their share of the smallest table does not help it.
const KEYS: i32 = 2_000;

/// The same number of keys of three tables.
pub fn measure(scale: &Scale, report: &mut Report) {
    let cluster = start_cluster();
    let mut client = patient(&cluster, "postgres");
    client.run(
        "CREATE EXTENSION pg_tviews; CREATE TABLE tb_group (pk_group int PRIMARY KEY, name text);
                INSERT INTO tb_group SELECT i, 'group ' || i FROM generate_series(1, 1000) i",
    );
    for rows in scale.sizes {
        client.run(&format!(
            "CREATE TABLE tb_sized{rows} (pk_sized int PRIMARY KEY, fk_group int NOT NULL, name text NOT NULL);
             INSERT INTO tb_sized{rows} SELECT i, 1 + i % 1000, 'row ' || i FROM generate_series(1, {rows}) i"
        ));
        client.run(&format!(
            "SELECT pg_tviews_create('sized{rows}',
                 'SELECT s.pk_sized, jsonb_build_object(''name'', s.name, ''group'', g.name) AS data
                    FROM tb_sized{rows} s JOIN tb_group g ON g.pk_group = s.fk_group', key_columns => '{{pk_sized}}')"
        ));
    }
    caught_up(&mut client);
    client.run("VACUUM ANALYZE");
    client.run("CHECKPOINT");
    let client = std::cell::RefCell::new(client);
    let time = |rows: i32| {
        let mut client = client.borrow_mut();
        let every = rows / KEYS;
        client.run(&format!("SELECT pg_tviews_pause('sized{rows}')"));
        client.run(&format!(
            "UPDATE tb_sized{rows} SET name = name || '.'
              WHERE pk_sized = ANY (ARRAY(SELECT 1 + i * {every} FROM generate_series(0, {KEYS} - 1) i))"
        ));
        let time = milliseconds(|| {
            client.run(&format!("SELECT pg_tviews_resume('sized{rows}')"));
            caught_up(&mut client);
        });
        time * 1000.0 / f64::from(KEYS)
    };
    // Pages of the larger tables have to come from somewhere once.
    for rows in scale.sizes {
        let _ = time(rows);
    }
    let [small, middle, large]: [Measured; 3] = in_turn(
        scale.rounds,
        "µs/key",
        [
            &mut || time(scale.sizes[0]),
            &mut || time(scale.sizes[1]),
            &mut || time(scale.sizes[2]),
        ],
    );
    let [least, more, most] = scale.sizes;
    let scenario = "tv tables of different size";
    let measure = format!("time per key, {most} rows / {least} rows");
    report.ratio(scenario, &measure, &large, &small, Reach::AtMost(1.5));
    let measure = format!("time per key, {more} rows / {least} rows");
    report.ratio(scenario, &measure, &middle, &small, Reach::Nothing);
    for rows in scale.sizes {
        client.borrow_mut().assert_views_equal(&[&format!("sized{rows}")]);
    }
}
