// Models over tv tables, for reading. drizzle-kit does not see this file.
import { integer, jsonb, pgTable } from "drizzle-orm/pg-core";

export const postDocuments = pgTable("tv_post", {
  id: integer("pk_post").primaryKey(),
  data: jsonb("data").$type<{ title: string; author: string }>().notNull(),
});
