import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./schema.ts",
  dbCredentials: { url: process.env.DATABASE_URL! },
  // Without it, push would drop the tables of TVIEWs, which have no model below `schema`.
  tablesFilter: ["tb_*"],
});
