import { index, integer, pgTable, text } from "drizzle-orm/pg-core";

export const users = pgTable("tb_user", {
  id: integer("pk_user").primaryKey().generatedByDefaultAsIdentity(),
  name: text("name").notNull(),
});

export const posts = pgTable(
  "tb_post",
  {
    id: integer("pk_post").primaryKey().generatedByDefaultAsIdentity(),
    user: integer("fk_user").notNull().references(() => users.id),
    title: text("title").notNull(),
  },
  (table) => [index("tb_post_fk_user").on(table.user)],
);
