"""Fixtures for tests of an application that reads tv_* tables. See docs/testing-your-application.md.

DATABASE_URL names a server where the tests may create databases (default: that of the environment, PGHOST and so on).
"""

import contextlib
import os
import pathlib

import psycopg2
import psycopg2.extensions
import pytest

SERVER = os.environ.get("DATABASE_URL", "dbname=postgres")
# Stands for the migrations of the application.
BLOG = pathlib.Path(__file__).parents[2] / "blog"
MIGRATIONS = ["CREATE EXTENSION pg_tviews", *((BLOG / file).read_text() for file in ("schema.sql", "tviews.sql"))]


def connect(database, **arguments):
    return contextlib.closing(psycopg2.connect(SERVER, dbname=database, **arguments))


def on_server(statement):
    """Runs a statement that must not stand in a transaction."""
    with connect("postgres") as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


@contextlib.contextmanager
def new_database(name, of="template1"):
    on_server(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    on_server(f'CREATE DATABASE "{name}" TEMPLATE "{of}"')
    try:
        yield name
    finally:
        on_server(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def schema():
    """A database with the schema of the application, for the whole run."""
    with new_database(f"test_schema_{os.getpid()}") as name:
        with connect(name) as connection, connection:
            for migration in MIGRATIONS:
                connection.cursor().execute(migration)
        yield name


@pytest.fixture
def transaction(schema):
    """A connection whose work is undone after the test. Its queries of tv_* tables see what it has written."""
    with connect(schema) as connection:
        yield connection
        connection.rollback()
        # Some changes cannot be shown before COMMIT. Then the test has read rows that are too old, and a NOTICE says so.
        assert not [notice for notice in connection.notices if "does not show" in notice]


@pytest.fixture
def own_database(schema):
    """The name of a database for tests that commit: a copy of the schema for this test alone."""
    with new_database(f"test_own_{os.getpid()}", of=schema) as name:
        yield name


def execute(connection, statement, *values):
    """Runs a statement, and returns its rows if it has any."""
    cursor = connection.cursor()
    cursor.execute(statement, values)
    return cursor.fetchall() if cursor.description else []


def wait(connection):
    """Returns once everything that was committed is in the tv_* tables. After COMMIT, not inside a transaction."""
    assert execute(connection, "SELECT pg_tviews_wait()") == [(True,)]


def assert_equals_view(connection, tview):
    """Fails if the table of a TVIEW is not what its view shows."""
    # The table as a query of this transaction sees it.
    execute(connection, f"SELECT FROM tv_{tview} LIMIT 0")
    assert execute(connection, "SELECT key, problem FROM pg_tviews_check(%s)", tview) == []
