#!/usr/bin/env python3
"""Django over TVIEWs: models, a migration, and tests. See docs/ecosystem.md.

DATABASE_URL names the database in libpq's form: "host=localhost dbname=blog user=app". Tests run in one of their own.
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from psycopg2.extensions import parse_dsn

server = parse_dsn(os.environ["DATABASE_URL"])
settings.configure(
    INSTALLED_APPS=["blog"],
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": server["dbname"],
            "HOST": server.get("host", ""),
            "PORT": server.get("port", ""),
            "USER": server.get("user", ""),
            "PASSWORD": server.get("password", ""),
        }
    },
)
execute_from_command_line(sys.argv)
