//! Migrations that create a TVIEW, then writes and reads of every kind. The database is that of `DATABASE_URL`.

use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::types::Json;
use sqlx::FromRow;

/// The document of a tv row.
#[derive(FromRow, Debug)]
struct Post {
    pk_post: i32,
    data: Json<serde_json::Value>,
}

async fn post(connection: &mut PgConnection, key: i32) -> sqlx::Result<Post> {
    let select = "SELECT pk_post, data FROM tv_post WHERE pk_post = $1";
    sqlx::query_as(select).bind(key).fetch_one(connection).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let pool = PgPoolOptions::new().max_connections(3).connect(&url).await?;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let migrator = sqlx::migrate::Migrator::new(std::path::Path::new(folder)).await?;
    migrator.run(&pool).await?;

    let insert = "INSERT INTO tb_user (name) VALUES ('Ada') RETURNING pk_user";
    let user: i32 = sqlx::query_scalar(insert).fetch_one(&pool).await?;
    let insert = "INSERT INTO tb_post (fk_user, title) VALUES ($1, 'Hello') RETURNING pk_post";
    let key: i32 = sqlx::query_scalar(insert).bind(user).fetch_one(&pool).await?;

    // A transaction reads its own writes.
    let mut transaction = pool.begin().await?;
    let rename = "UPDATE tb_post SET title = $1 WHERE pk_post = $2";
    sqlx::query(rename)
        .bind("Mine")
        .bind(key)
        .execute(&mut *transaction)
        .await?;
    assert_eq!(post(&mut transaction, key).await?.data["title"], "Mine");
    transaction.rollback().await?;

    // Another transaction reads what is committed, under a promise: the statement stays prepared.
    for round in 0..8 {
        let name = format!("Ada {round}");
        let rename = "UPDATE tb_user SET name = $1 WHERE pk_user = $2";
        sqlx::query(rename).bind(&name).bind(user).execute(&pool).await?;
        let mut transaction = pool.begin().await?;
        sqlx::query("SET LOCAL pg_tviews.max_staleness = 0")
            .execute(&mut *transaction)
            .await?;
        assert_eq!(post(&mut transaction, key).await?.data["author"], name);
        transaction.commit().await?;
    }

    // Or it waits for everything committed.
    let done: bool = sqlx::query_scalar("SELECT pg_tviews_wait()")
        .fetch_one(&pool)
        .await?;
    assert!(done);
    let post = post(&mut *pool.acquire().await?, key).await?;
    println!("post {}: {}", post.pk_post, post.data.0);
    Ok(())
}
