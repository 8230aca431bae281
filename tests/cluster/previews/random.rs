//! Random transactions with savepoints, against the oracle: the tv tables as seen in the transaction are the views as seen
//! in the transaction.

use super::open;
use crate::blog;
use crate::harness::{Ask, Random};

const SEQUENCES: usize = 1000;

#[test]
fn random_savepoints() {
    let (_database, mut client) = open("ryw_random");
    let mut random = Random::announced("random_savepoints");
    for _ in 0..SEQUENCES {
        client.run(&format!("BEGIN ISOLATION LEVEL {}", random.pick(&super::LEVELS)));
        let mut open = 0;
        for _ in 0..random.upto(8) {
            match random.upto(10) {
                1 | 2 => {
                    open += 1;
                    client.run(&format!("SAVEPOINT s{open}"));
                }
                3 | 4 if open > 0 => {
                    open = random.upto(open);
                    client.run(&format!("ROLLBACK TO s{open}"));
                }
                5 if open > 0 => {
                    let to = random.upto(open);
                    client.run(&format!("RELEASE s{to}"));
                    open = to - 1;
                }
                6 | 7 => {
                    let some = &[*random.pick(&blog::ENTITIES), *random.pick(&blog::ENTITIES)];
                    client.assert_views_equal(some);
                }
                _ => {
                    let statement = *random.pick(&blog::STATEMENTS);
                    let statement = random.fill(statement);
                    client.run("SAVEPOINT try");
                    match client.batch_execute(&statement) {
                        Ok(()) => client.run("RELEASE try"),
                        Err(error) if error.code().is_some_and(|code| code.code().starts_with("23")) => {
                            client.run("ROLLBACK TO try; RELEASE try");
                        }
                        Err(error) => panic!("{statement}\n{error:?}"),
                    }
                }
            }
        }
        client.assert_views_equal(&blog::ENTITIES);
        client.run(if random.chance(70) { "ROLLBACK" } else { "COMMIT" });
    }
    client.assert_follows(&blog::ENTITIES);
}
