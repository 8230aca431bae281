from django.db import DatabaseError, connection, transaction
from django.test import TestCase, TransactionTestCase

from .models import Post, PostDocument, User


def write_a_post():
    ada = User.objects.create(name="Ada")
    Post.objects.create(fk_user=ada, title="Notes")
    return ada


def wait():
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_tviews_wait()")
        assert cursor.fetchone() == (True,)


class InOneTransaction(TestCase):
    """Rolled back after each test: queries see what the test has written."""

    def test_documents_follow(self):
        ada = write_a_post()
        self.assertEqual(PostDocument.objects.get().data, {"title": "Notes", "author": "Ada"})
        ada.name = "Ada L."
        ada.save()
        self.assertEqual(ada.documents.get(data__author="Ada L.").data["title"], "Notes")
        ada.delete()
        self.assertEqual(PostDocument.objects.count(), 0)

    def test_nothing_is_left(self):
        self.assertEqual(PostDocument.objects.count(), 0)

    def test_documents_are_not_written(self):
        write_a_post()
        with self.assertRaisesMessage(DatabaseError, "are maintained from the view"), transaction.atomic():
            PostDocument.objects.update(data={})


class WithCommits(TransactionTestCase):
    """Django empties the tables after each test, except those that it does not manage: they follow."""

    def test_documents_follow(self):
        write_a_post()
        wait()
        self.assertEqual(PostDocument.objects.get().data["author"], "Ada")

    def test_nothing_is_left(self):
        wait()
        self.assertEqual(PostDocument.objects.count(), 0)
