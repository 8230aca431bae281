//! Views as applications write them, analysed by a real server: which sources are followed by key.

use pgrx::prelude::*;

use super::{analyse, Strategy};
use crate::postgres::query_tree::Select;
use crate::postgres::relation;

const TABLES: &str = "
    CREATE TABLE tb_user (pk_user int PRIMARY KEY, id uuid NOT NULL UNIQUE, name text, email text);
    CREATE TABLE tb_post (pk_post int PRIMARY KEY, id uuid NOT NULL UNIQUE, fk_user int, title text, published bool);
    CREATE TABLE tb_tag (pk_tag int PRIMARY KEY, label text);
    CREATE TABLE tb_post_tag (fk_post int, fk_tag int, PRIMARY KEY (fk_post, fk_tag));
    CREATE TABLE tb_order (pk_order int PRIMARY KEY, id uuid NOT NULL UNIQUE, customer text);
    CREATE TABLE tb_order_item (pk_order_item int PRIMARY KEY, fk_order int, quantity int);
    CREATE VIEW v_user AS SELECT u.id, jsonb_build_object('name', u.name) AS data FROM tb_user u;
    CREATE VIEW v_post AS SELECT p.id, jsonb_build_object('title', p.title) AS data FROM tb_post p;
    CREATE VIEW v_order AS SELECT o.pk_order, o.id, o.customer FROM tb_order o;";

/// Sources by name with `keyed (captured columns)` or `full`. Several key columns are separated by commas.
fn followed(query: &str, key: &str) -> Vec<String> {
    Spi::run(TABLES).unwrap();
    let select = Select::analyse(query).expect("a single SELECT");
    let key: Vec<String> = key.split(',').map(str::to_string).collect();
    let lineage = analyse(select, &key).unwrap();
    let mut followed: Vec<String> = lineage
        .sources
        .iter()
        .map(|source| {
            let full = source
                .occurrences
                .iter()
                .any(|o| matches!(o.strategy, Strategy::Full { .. }));
            let captured: Vec<String> = source.captured().into_iter().collect();
            let how = if full {
                "full".to_string()
            } else {
                format!("keyed by {}", captured.join(", "))
            };
            format!("{} {how}", relation::name(source.relation).unwrap_or_default())
        })
        .collect();
    followed.sort();
    followed
}

#[pg_schema]
mod tests {
    use super::*;

    #[pg_test]
    fn flat_entity() {
        let query = "SELECT u.id, jsonb_build_object('name', u.name) AS data FROM tb_user u";
        assert_eq!(followed(query, "id"), ["tb_user keyed by id"]);
    }

    #[pg_test]
    fn parent_embedded_through_its_view() {
        let query = "SELECT p.id, jsonb_build_object('title', p.title, 'author', vu.data) AS data
                       FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user JOIN v_user vu ON vu.id = u.id";
        assert_eq!(
            followed(query, "id"),
            ["tb_post keyed by id", "tb_user keyed by id, pk_user"]
        );
    }

    #[pg_test]
    fn children_as_array() {
        let query = "SELECT u.id, vu.data || jsonb_build_object('posts', jsonb_agg(vp.data)) AS data
                       FROM tb_user u JOIN v_user vu ON vu.id = u.id
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user LEFT JOIN v_post vp ON vp.id = p.id
                      GROUP BY u.id, vu.data";
        assert_eq!(
            followed(query, "id"),
            ["tb_post keyed by fk_user, id", "tb_user keyed by id"]
        );
    }

    #[pg_test]
    fn tags_through_a_link_table() {
        let query = "SELECT p.id, (SELECT jsonb_agg(t.label) FROM tb_post_tag pt JOIN tb_tag t ON t.pk_tag = pt.fk_tag
                                    WHERE pt.fk_post = p.pk_post) AS data FROM tb_post p";
        assert_eq!(
            followed(query, "id"),
            [
                "tb_post keyed by id",
                "tb_post_tag keyed by fk_post",
                "tb_tag keyed by pk_tag"
            ]
        );
    }

    #[pg_test]
    fn summary_of_grouped_items() {
        let query = "SELECT o.id, jsonb_build_object('items', i.items) AS data FROM v_order o
                       LEFT JOIN (SELECT fk_order, jsonb_agg(quantity) AS items FROM tb_order_item GROUP BY fk_order) i
                              ON i.fk_order = o.pk_order";
        assert_eq!(
            followed(query, "id"),
            ["tb_order keyed by id", "tb_order_item keyed by fk_order"]
        );
    }

    #[pg_test]
    fn limit_over_the_view_is_recomputed_in_full() {
        let query = "SELECT u.id, u.name FROM tb_user u ORDER BY u.name LIMIT 3";
        assert_eq!(followed(query, "id"), ["tb_user full"]);
    }

    #[pg_test]
    fn only_the_source_without_a_way_is_full() {
        let query = "SELECT u.id, (SELECT count(*) FROM tb_tag) AS tags, p.title
                       FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user";
        assert_eq!(
            followed(query, "id"),
            ["tb_post keyed by fk_user", "tb_tag full", "tb_user keyed by id"]
        );
    }

    #[pg_test]
    fn the_unmatched_side_of_an_outer_join_is_not_crossed() {
        // A user is in the result with or without a post: a tag reaches users through posts only where the
        // joins are sure to match.
        let query = "SELECT u.id, t.label FROM tb_user u
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user
                       LEFT JOIN tb_tag t ON t.pk_tag = p.pk_post";
        assert_eq!(
            followed(query, "id"),
            [
                "tb_post keyed by fk_user",
                "tb_tag keyed by pk_tag",
                "tb_user keyed by id"
            ]
        );
        let cross = "SELECT u.id, d.label FROM tb_user u CROSS JOIN tb_tag d
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user AND p.pk_post = d.pk_tag";
        assert!(followed_again(cross, "id").contains(&"tb_tag full".to_string()));
    }

    #[pg_test]
    fn merged_columns_of_chained_full_joins() {
        let query = "SELECT id, u.name, p.title, o.customer FROM tb_user u FULL JOIN tb_post p USING (id)
                       NATURAL FULL JOIN (SELECT id, customer FROM tb_order) o";
        assert_eq!(
            followed(query, "id"),
            [
                "tb_order keyed by id",
                "tb_post keyed by id",
                "tb_user keyed by id"
            ]
        );
    }

    #[pg_test]
    fn a_composite_key_with_a_part_on_the_optional_side() {
        let query = "SELECT u.id AS author, p.id AS post, p.title FROM tb_user u LEFT JOIN tb_post p ON p.fk_user = u.pk_user";
        assert_eq!(
            followed(query, "author,post"),
            ["tb_post keyed by fk_user, id", "tb_user keyed by id, pk_user"]
        );
    }

    #[pg_test]
    fn a_composite_key_of_sources_that_no_condition_ties() {
        let query = "SELECT u.id AS author, t.label, count(pt.fk_tag) AS n FROM tb_user u CROSS JOIN tb_tag t
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user
                       LEFT JOIN tb_post_tag pt ON pt.fk_post = p.pk_post AND pt.fk_tag = t.pk_tag
                      GROUP BY u.id, t.label";
        assert_eq!(
            followed(query, "author,label"),
            [
                "tb_post keyed by fk_user",
                "tb_post_tag keyed by fk_post, fk_tag",
                "tb_tag keyed by label",
                "tb_user keyed by id"
            ]
        );
    }

    #[pg_test]
    fn one_key_value_of_two_sources_keeps_one_of_them_keyed() {
        let query = "SELECT u.id || p.id::text AS id FROM tb_user u JOIN tb_post p ON p.fk_user = u.pk_user";
        assert_eq!(
            followed(query, "id"),
            ["tb_post keyed by fk_user, id", "tb_user full"]
        );
    }

    #[pg_test]
    fn a_condition_above_an_outer_join_rules_the_unmatched_case_out() {
        let query = "SELECT u.id, d.label FROM tb_user u CROSS JOIN tb_tag d
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user AND p.pk_post = d.pk_tag WHERE p.published";
        assert!(followed(query, "id").contains(&"tb_tag keyed by pk_tag".to_string()));
    }

    #[pg_test]
    fn a_key_that_takes_turns() {
        let query = "SELECT CASE WHEN u.name = 'x' THEN u.id ELSE p.id END AS id FROM tb_user u
                       LEFT JOIN tb_post p ON p.fk_user = u.pk_user";
        assert_eq!(
            followed(query, "id"),
            ["tb_post keyed by fk_user, id", "tb_user keyed by id, pk_user"]
        );
        let inside = "SELECT 'n' || coalesce(p.pk_post, o.pk_order, 0) AS id
                        FROM tb_post p FULL JOIN tb_order o ON o.pk_order = p.fk_user";
        assert_eq!(
            followed_again(inside, "id"),
            ["tb_order keyed by pk_order", "tb_post keyed by fk_user, pk_post"]
        );
    }

    #[pg_test]
    fn many_null_cases_do_not_multiply() {
        let query = "SELECT u.id FROM tb_user u WHERE name NOT IN (SELECT label FROM tb_tag)
                        AND email NOT IN (SELECT label FROM tb_tag) AND name NOT IN (SELECT customer FROM tb_order)
                        AND email NOT IN (SELECT customer FROM tb_order) AND name NOT IN (SELECT title FROM tb_post)
                        AND email NOT IN (SELECT title FROM tb_post) AND email || name NOT IN (SELECT title FROM tb_post)";
        assert_eq!(
            followed(query, "id"),
            [
                "tb_order keyed by customer",
                "tb_post keyed by title",
                "tb_tag keyed by label",
                "tb_user keyed by id"
            ]
        );
    }

    fn followed_again(query: &str, key: &str) -> Vec<String> {
        Spi::run("DROP TABLE tb_user, tb_post, tb_tag, tb_post_tag, tb_order, tb_order_item CASCADE")
            .unwrap();
        followed(query, key)
    }
}
