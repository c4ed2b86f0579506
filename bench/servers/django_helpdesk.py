"""django-helpdesk, a real one from PyPI, in the smallest project that it runs in: SQLite, basic authentication."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from bench.servers.store import StoreProcess, serve_wsgi

MOUNT = "/helpdesk"
STAFF = ("allears", "intake-Pa55-word")
STRANGER = ("stranger", "stranger-Pa55")
"""May log in, and is no staff."""
CUSTOM_FIELDS = ("complaint_id", "channel", "category", "expectation")


class DjangoHelpdesk(StoreProcess):
    """`url` is the helpdesk's, `queue` the number of the one queue in it."""

    NAME = "django-helpdesk"
    queue = 1

    def __init__(self) -> None:
        super().__init__()
        self.url += MOUNT
        self.user, self.password = STAFF

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "bench.servers.django_helpdesk", str(self.folder), str(self.port)]

    def working_folder(self) -> Path:
        return Path(__file__).parents[2]

    async def tickets(self) -> list[dict[str, Any]]:
        """All of them with their follow-ups, oldest first; the first follow-up repeats the description."""
        answer = await self.ask("GET", "/api/tickets/?page_size=1000", auth=STAFF)
        found: list[dict[str, Any]] = answer.json()["results"]
        return sorted(found, key=lambda ticket: int(ticket["id"]))

    def content_of(self, file: Mapping[str, Any]) -> bytes:
        """Of an attachment as the API names it."""
        return (self.folder / unquote(urlsplit(file["file"]).path).lstrip("/")).read_bytes()

    async def clear(self) -> None:
        """Delete all tickets."""
        for ticket in await self.tickets():
            await self.ask("DELETE", f"/api/tickets/{ticket['id']}/", auth=STAFF)


def configure(folder: Path) -> None:
    from django.conf import settings

    settings.configure(
        DEBUG=False,
        SECRET_KEY="of-a-server-that-lives-for-a-test",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="bench.servers.django_helpdesk_urls",
        INSTALLED_APPS=[
            *(f"django.contrib.{name}" for name in ["admin", "auth", "contenttypes", "sessions", "messages", "sites"]),
            *("django.contrib.humanize", "django.contrib.staticfiles", "rest_framework", "helpdesk"),
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(folder / "helpdesk.db"),
                "OPTIONS": {"timeout": 30, "transaction_mode": "IMMEDIATE"},
            }
        },
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # it hashes again for every call
        USE_TZ=True,
        SITE_ID=1,
        STATIC_URL="/static/",
        MEDIA_ROOT=str(folder / "files"),
        MEDIA_URL="/files/",
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        HELPDESK_ACTIVATE_API_ENDPOINT=True,
        HELPDESK_TEAMS_MODE_ENABLED=False,
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
            "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        },
    )


def seed() -> None:
    """Users, a queue and the custom fields, unless they are there."""
    from django.contrib.auth.models import User
    from helpdesk.models import CustomField, Queue

    if Queue.objects.exists():
        return
    for (name, password), is_staff in ((STAFF, True), (STRANGER, False)):
        User.objects.create_user(name, f"{name}@support.example.cn", password, is_staff=is_staff)
    Queue.objects.create(title="投诉", slug="complaints")
    for place, name in enumerate(CUSTOM_FIELDS):
        CustomField.objects.create(name=name, label=name, data_type="varchar", max_length=200, ordering=place)


def serve(folder: Path, port: int) -> None:
    import django
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    configure(folder)
    django.setup()
    if not (folder / "helpdesk.db").exists():
        call_command("migrate", verbosity=0)
    seed()
    serve_wsgi(get_wsgi_application(), port)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
