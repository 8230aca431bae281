//! What the server logs about statements of the extension is not sent to the session that causes them.

use super::stage;
use crate::harness::Ask;

const CALLS: [&str; 8] = [
    "BEGIN",
    "UPDATE app.tb_item SET n = n + 1 WHERE pk_item = 1",
    "SELECT * FROM app.tv_item",
    "COMMIT",
    "SELECT * FROM pg_tviews_check('app.item')",
    "SELECT * FROM pg_tviews_pending('app.item', '{1}')",
    "SELECT pg_tviews_wait('app.item', key => '2')",
    "SELECT * FROM pg_tviews_explain('app.item')",
];

#[test]
fn plans_of_the_extension_are_not_sent_to_the_client() {
    let stage = stage(
        "logs_plans",
        "SELECT 1",
        "SELECT pk_item, n + 4711 AS n FROM app.tb_item",
    );
    let (mut other, heard) = stage.listening();
    other.run("SET debug_print_plan = on; SET trace_sort = on");
    for call in CALLS {
        other.run("SET client_min_messages = debug5");
        heard.text();
        other.rows(call);
        let text = heard.text();
        other.run("SET client_min_messages = notice");
        // The plan of the statement itself.
        assert!(text.matches("{PLANNEDSTMT").count() <= 1, "{call}: {text}");
        // 4711, as a plan shows it.
        assert!(!text.contains("[ 103 18 0 0"), "{call}: {text}");
    }
}
