"""Tests of the documents of examples/blog."""

from conftest import assert_equals_view, connect, execute, wait

AUTHORS = "SELECT DISTINCT data #>> '{author,name}' FROM tv_post ORDER BY 1"


def test_a_post_shows_the_new_name_of_its_author(transaction):
    execute(transaction, "UPDATE tb_user SET name = %s WHERE email = %s", "Ada Lovelace", "ada@example.com")
    assert execute(transaction, AUTHORS) == [("Ada Lovelace",), ("Grace",)]
    assert_equals_view(transaction, "post")


def test_a_user_without_posts_has_an_empty_list(transaction):
    execute(transaction, "INSERT INTO tb_user (email, name) VALUES ('alan@example.com', 'Alan')")
    assert execute(transaction, "SELECT data FROM tv_user WHERE data ->> 'name' = 'Alan'") == [
        ({"name": "Alan", "posts": []},)
    ]
    assert_equals_view(transaction, "user")


def test_what_a_test_has_written_is_gone_afterwards(transaction):
    assert execute(transaction, AUTHORS) == [("Ada",), ("Grace",)]


def test_other_sessions_see_what_is_committed(own_database):
    with connect(own_database) as writer, connect(own_database) as reader:
        reader.autocommit = True
        with writer:
            execute(writer, "UPDATE tb_user SET name = 'Grace Hopper' WHERE name = 'Grace'")
        wait(reader)
        assert execute(reader, AUTHORS) == [("Ada",), ("Grace Hopper",)]
        assert_equals_view(reader, "post")
