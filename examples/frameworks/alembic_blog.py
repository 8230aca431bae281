#!/usr/bin/env python3
"""SQLAlchemy models over tv_* tables, and Alembic beside TVIEWs. See docs/ecosystem.md.

Works in the empty database that DATABASE_URL names (libpq's form: "host=localhost dbname=blog user=app").
"""

import os

import psycopg2
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "tb_user"
    pk_user = sa.Column(sa.BigInteger, sa.Identity(), primary_key=True)
    name = sa.Column(sa.Text, nullable=False)


class Post(Base):
    __tablename__ = "tb_post"
    pk_post = sa.Column(sa.BigInteger, sa.Identity(), primary_key=True)
    fk_user = sa.Column(sa.BigInteger, sa.ForeignKey("tb_user.pk_user"), nullable=False, index=True)
    title = sa.Column(sa.Text, nullable=False)


class PostDocument(Base):
    """Read only: writing it is refused."""

    __tablename__ = "tv_post"
    pk_post = sa.Column(sa.BigInteger, primary_key=True, autoincrement=False)
    data = sa.Column(JSONB)


# For context.configure(include_name=..., include_object=...) in env.py. The first leaves the tables of the database out
# of the comparison, the second those of the models.
def is_ours(name, type_):
    return type_ != "table" or not name.startswith(("pg_tview", "tv_"))


def include_name(name, type_, parent_names):
    return is_ours(name, type_)


def include_object(item, name, type_, reflected, compare_to):
    return is_ours(name, type_)


def upgrade_1(op):
    op.create_table("tb_user", *columns(User))
    op.create_table("tb_post", *columns(Post), sa.ForeignKeyConstraint(["fk_user"], ["tb_user.pk_user"]))
    op.create_index("ix_tb_post_fk_user", "tb_post", ["fk_user"])
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_tviews")
    op.execute(
        """SELECT pg_tviews_create('post', $$
               SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.name) AS data
               FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user
           $$)"""
    )


def upgrade_2(op):
    """Columns come, are renamed and go; the TVIEW is created again where its query changes."""
    op.alter_column("tb_user", "name", new_column_name="full_name")
    op.add_column("tb_post", sa.Column("likes", sa.Integer, server_default="0", nullable=False))
    op.execute(
        """SELECT pg_tviews_create('post', $$
               SELECT p.pk_post, jsonb_build_object('title', p.title, 'author', u.full_name, 'likes', p.likes) AS data
               FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user
           $$)"""
    )
    op.create_index("tv_post_author", "tv_post", [sa.text("(data ->> 'author')")])


def columns(model):
    return [sa.Column(c.name, c.type, *([sa.Identity()] if c.identity else []), primary_key=c.primary_key, nullable=c.nullable)
            for c in model.__table__.columns]


def documents(session):
    session.expire_all()
    return [post.data for post in session.query(PostDocument).order_by(PostDocument.pk_post)]


def wait(connection):
    assert connection.execute(sa.text("SELECT pg_tviews_wait()")).scalar()


def main():
    engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(os.environ["DATABASE_URL"]))
    with engine.begin() as connection:
        upgrade_1(Operations(MigrationContext.configure(connection)))
    with engine.connect() as connection:
        options = {"include_name": include_name, "include_object": include_object, "compare_type": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
        assert found == [], found
        # Without them Alembic would drop the tables of the extension.
        options = {"include_object": lambda item, name, type_, reflected, compare_to: type_ == "table"}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
        assert "pg_tview_queue" in {change[1].name for change in found if change[0] == "remove_table"}, found
    with Session(engine) as session:
        ada = User(name="Ada")
        session.add(ada)
        session.flush()
        session.add(Post(fk_user=ada.pk_user, title="Notes"))
        session.flush()
        assert documents(session) == [{"title": "Notes", "author": "Ada"}]
        ada.name = "Ada L."
        session.flush()
        assert documents(session) == [{"title": "Notes", "author": "Ada L."}]
        session.commit()
        wait(session)
        assert documents(session) == [{"title": "Notes", "author": "Ada L."}]
        session.query(PostDocument).one().data = {}
        try:
            session.flush()
            raise SystemExit("a tv table was written")
        except sa.exc.OperationalError as error:
            assert "are maintained from the view" in str(error), error
    with engine.begin() as connection:
        upgrade_2(Operations(MigrationContext.configure(connection)))
    with engine.begin() as connection:
        wait(connection)
        rows = connection.execute(sa.text("SELECT data FROM tv_post")).scalars().all()
        assert rows == [{"title": "Notes", "author": "Ada L.", "likes": 0}], rows
    print("SQLAlchemy", sa.__version__)


main()
