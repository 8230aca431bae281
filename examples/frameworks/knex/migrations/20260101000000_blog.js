exports.up = async (knex) => {
  await knex.raw("CREATE EXTENSION IF NOT EXISTS pg_tviews");
  await knex.schema.createTable("tb_user", (table) => {
    table.increments("pk_user");
    table.text("name").notNullable();
  });
  await knex.schema.createTable("tb_post", (table) => {
    table.increments("pk_post");
    table.integer("fk_user").notNullable().references("tb_user.pk_user").index();
    table.text("title").notNullable();
  });
  await knex.raw(`
    SELECT pg_tviews_create('post', $$
      SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.name) AS data
        FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user
    $$)`);
};

exports.down = async (knex) => {
  await knex.raw("SELECT pg_tviews_drop('post')");
  await knex.schema.dropTable("tb_post");
  await knex.schema.dropTable("tb_user");
};
