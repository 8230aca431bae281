// Migrations forth, back and forth, then writes and reads. The database is that of DATABASE_URL.
const assert = require("node:assert");
const knex = require("knex")(require("./knexfile"));

const post = (connection, key) => connection("tv_post").where({ pk_post: key }).first();

async function main() {
  await knex.migrate.latest();
  await knex.migrate.rollback();
  await knex.migrate.latest();
  const [user] = await knex("tb_user").insert({ name: "Ada" }).returning("pk_user");
  const [{ pk_post: key }] = await knex("tb_post").insert({ fk_user: user.pk_user, title: "Hello" }).returning("pk_post");

  // A transaction reads its own writes.
  await knex.transaction(async (transaction) => {
    await transaction("tb_user").where(user).update({ name: "Grace" });
    assert.equal((await post(transaction, key)).data.author, "Grace");
  });

  // Another one reads what is committed: it waits, or has a promise.
  await knex.raw("SELECT pg_tviews_wait()");
  assert.deepEqual((await post(knex, key)).data, { title: "Hello", author: "Grace" });
  await knex("tb_post").update({ title: "Hello again" });
  await knex.transaction(async (transaction) => {
    await transaction.raw("SET LOCAL pg_tviews.max_staleness = 0");
    const found = await transaction("tv_post").whereJsonPath("data", "$.title", "=", "Hello again").first();
    console.log(found);
    assert.equal(found.data.author, "Grace");
  });
}

main().finally(() => knex.destroy());
