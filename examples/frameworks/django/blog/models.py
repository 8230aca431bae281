from django.db import models


class User(models.Model):
    pk_user = models.BigAutoField(primary_key=True)
    name = models.TextField()

    class Meta:
        db_table = "tb_user"


class Post(models.Model):
    pk_post = models.BigAutoField(primary_key=True)
    fk_user = models.ForeignKey(User, models.CASCADE, db_column="fk_user")
    title = models.TextField()

    class Meta:
        db_table = "tb_post"


class PostDocument(models.Model):
    """The rows of a TVIEW. managed = False: the migration creates it. Writing it is refused."""

    pk_post = models.BigIntegerField(primary_key=True)
    # DO_NOTHING: the extension removes the row when the post is gone.
    fk_user = models.ForeignKey(User, models.DO_NOTHING, db_column="fk_user", related_name="documents")
    data = models.JSONField()

    class Meta:
        db_table = "tv_post"
        managed = False
