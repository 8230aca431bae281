// Creates the TVIEW, then writes and reads. The database is that of DATABASE_URL, after `npm run push`.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { eq, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import pg from "pg";
import { postDocuments } from "./documents.ts";
import { posts, users } from "./schema.ts";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const db = drizzle(pool);
await db.execute(sql.raw(readFileSync(new URL("tviews.sql", import.meta.url), "utf8")));

const [user] = await db.insert(users).values({ name: "Ada" }).returning();
const [post] = await db.insert(posts).values({ user: user.id, title: "Hello" }).returning();
const document = (connection: Pick<typeof db, "select">) =>
  connection.select().from(postDocuments).where(eq(postDocuments.id, post.id));

// A transaction reads its own writes.
await db.transaction(async (transaction) => {
  await transaction.update(users).set({ name: "Grace" }).where(eq(users.id, user.id));
  assert.equal((await document(transaction))[0].data.author, "Grace");
});

// Another one reads what is committed: it waits, or has a promise.
await db.execute(sql`SELECT pg_tviews_wait()`);
assert.deepEqual((await document(db))[0].data, { title: "Hello", author: "Grace" });
await db.update(posts).set({ title: "Hello again" }).where(eq(posts.id, post.id));
await db.transaction(async (transaction) => {
  await transaction.execute(sql`SET LOCAL pg_tviews.max_staleness = 0`);
  const [found] = await document(transaction);
  console.log(found);
  assert.equal(found.data.title, "Hello again");
});
await pool.end();
