import django.db.models.deletion
from django.db import migrations, models

CREATE_POST = """
SELECT pg_tviews_create('post', $$
    SELECT p.pk_post, p.fk_user, jsonb_build_object('title', p.title, 'author', u.name) AS data
    FROM tb_post p JOIN tb_user u ON u.pk_user = p.fk_user
$$)
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="User",
            fields=[("pk_user", models.BigAutoField(primary_key=True, serialize=False)), ("name", models.TextField())],
            options={"db_table": "tb_user"},
        ),
        migrations.CreateModel(
            name="Post",
            fields=[
                ("pk_post", models.BigAutoField(primary_key=True, serialize=False)),
                ("title", models.TextField()),
                (
                    "fk_user",
                    models.ForeignKey(db_column="fk_user", on_delete=django.db.models.deletion.CASCADE, to="blog.user"),
                ),
            ],
            options={"db_table": "tb_post"},
        ),
        migrations.RunSQL("CREATE EXTENSION IF NOT EXISTS pg_tviews", migrations.RunSQL.noop),
        migrations.RunSQL(CREATE_POST, "SELECT pg_tviews_drop('post')"),
        migrations.CreateModel(
            name="PostDocument",
            fields=[
                ("pk_post", models.BigIntegerField(primary_key=True, serialize=False)),
                ("data", models.JSONField()),
                (
                    "fk_user",
                    models.ForeignKey(
                        db_column="fk_user",
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="documents",
                        to="blog.user",
                    ),
                ),
            ],
            options={"db_table": "tv_post", "managed": False},
        ),
    ]
