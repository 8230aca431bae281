#!/usr/bin/env python3
"""A cache of documents that the change feed of pg_tviews keeps fresh. See README.md."""

import argparse
import contextlib
import http.server
import json
import select
import sys
import threading
import time

import psycopg2
import psycopg2.errors
from psycopg2.extras import Json

POLL = 5  # Seconds after which it asks for changes, notified or not.
PAUSE = 0.2  # Seconds between two attempts to connect.
BATCH = 500  # Changes in one transaction.

# The place of the consumer in the feed is lost: everything is read anew.
START_ANEW = (
    psycopg2.errors.ObjectNotInPrerequisiteState,  # 55000: changes were removed that it had not acknowledged
    psycopg2.errors.UndefinedObject,  # 42704: no such consumer, as in a restored database
    psycopg2.errors.InvalidParameterValue,  # 22023: a token from before a promotion or a recovery
)


class Cache:
    def __init__(self, dsn, consumer, entities):
        self.dsn, self.consumer, self.entities = dsn, consumer, entities
        self.documents = {}  # (entity, key) -> the row as JSON
        self.is_complete = False

    def keep_fresh(self):
        """Follows the feed for ever, through lost connections."""
        while True:
            try:
                with contextlib.closing(psycopg2.connect(self.dsn)) as connection:
                    self.follow(connection)
            except START_ANEW as error:
                report("starting anew", error)
                self.is_complete = False
            except psycopg2.Error as error:
                # The server is down, or a standby (25006); a table was dropped meanwhile. What is cached is served
                # all the same, and the consumer goes on where it was.
                report("trying again", error)
            time.sleep(PAUSE)

    def follow(self, connection):
        connection.autocommit = True
        cursor = connection.cursor()
        # Before the first look: what is committed after that look sends a notification.
        cursor.execute("LISTEN pg_tviews")
        if not self.is_complete:
            self.start(cursor)
        while True:
            while self.apply_some(cursor):
                pass
            select.select([connection], [], [], POLL)
            connection.poll()
            connection.notifies.clear()

    def start(self, cursor):
        """Subscribes and reads the tables in one snapshot: no hole, no repetition."""
        documents = {}
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(
            "SELECT pg_tviews_unsubscribe(consumer) FROM pg_tview_consumer WHERE consumer = %s", [self.consumer]
        )
        cursor.execute("SELECT pg_tviews_subscribe(%s, %s)", [self.consumer, self.entities])
        for entity in self.entities:
            documents.update(read(cursor, entity))
        cursor.execute("COMMIT")
        self.documents, self.is_complete = documents, True
        report(f"{len(documents)} documents")

    def apply_some(self, cursor):
        """Applies the next changes, then acknowledges them; False if there are none."""
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        cursor.execute(
            "SELECT entity_name, key, token FROM pg_tviews_changes(%s, %s)", [self.consumer, BATCH]
        )
        changes = cursor.fetchall()
        fresh, stale = {}, set()
        for entity in {entity for entity, _, _ in changes}:
            keys = [key for changed, key, _ in changes if changed == entity]
            if None in keys:  # EVERYTHING
                stale.update(place for place in list(self.documents) if place[0] == entity)
                fresh.update(read(cursor, entity))
            else:
                stale.update((entity, name(key.values())) for key in keys)
                fresh.update(read(cursor, entity, keys))
        cursor.execute("COMMIT")
        # Readers see the old or the new document, never none in between.
        self.documents.update(fresh)
        for place in stale - fresh.keys():
            self.documents.pop(place, None)
        if changes:
            # Whatever happens before this is applied again, which does no harm.
            cursor.execute("SELECT pg_tviews_ack(%s, %s)", [self.consumer, changes[-1][2]])
        return bool(changes)


def read(cursor, entity, keys=None):
    """The rows of a table with these keys, or all rows; none if it was dropped."""
    cursor.execute("SELECT key_columns, tview_oid::text FROM pg_tview_meta WHERE entity_name = %s", [entity])
    found = cursor.fetchone()
    if not found:
        return {}
    columns, table = found
    if keys is None:
        cursor.execute(f"SELECT to_jsonb(t) FROM {table} t")
    else:
        using = ", ".join('"' + column.replace('"', '""') + '"' for column in columns)
        cursor.execute(
            f"SELECT to_jsonb(t) FROM {table} t JOIN jsonb_populate_recordset(NULL::{table}, %s) k USING ({using})",
            [Json(keys)],
        )
    return {(entity, name(row[column] for column in columns)): row for (row,) in cursor.fetchall()}


def name(values):
    return ",".join(map(str, values))


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /post/42 is a document, GET /post all of them."""

    cache = None

    def do_GET(self):
        entity, _, key = self.path.strip("/").partition("/")
        if not self.cache.is_complete and not self.cache.documents:
            return self.answer(503, None)
        if not key:
            return self.answer(200, [row for place, row in self.cache.documents.copy().items() if place[0] == entity])
        row = self.cache.documents.get((entity, key))
        etag = f'"{row["revision"]}"' if row and "revision" in row else None
        if row is None:
            self.answer(404, None)
        elif etag and self.headers.get("If-None-Match") == etag:
            self.answer(304, None, etag)
        else:
            self.answer(200, row, etag)

    def answer(self, status, value, etag=None):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        if etag:
            self.send_header("ETag", etag)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def report(what, error=""):
    code = getattr(error, "pgcode", None)
    print(what, f"({code or 'no connection'}): {str(error).splitlines()[:1]}" if error else "", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dsn", default="", help="as for psql; by default what PGHOST and the like say")
    parser.add_argument("--consumer", default="cache", help="the name of this cache in the feed; one process each")
    parser.add_argument("--port", type=int, default=8042, help="0: any free one")
    parser.add_argument("entities", nargs="+", help="TVIEWs with a feed, such as post")
    arguments = parser.parse_args()
    Handler.cache = Cache(arguments.dsn, arguments.consumer, arguments.entities)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.cache.keep_fresh()


if __name__ == "__main__":
    main()
