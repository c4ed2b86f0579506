"""Roundup, a real one from PyPI: the classic template with the properties our sink wants, under its own WSGI handler.

WSGI, and not `roundup-server`, since that one refuses to run as root and then cannot read a root-owned Python.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.servers.store import StoreProcess, serve_wsgi

MOUNT = "/support"
ADMIN = ("admin", "admin-Pa55")
USER = ("allears", "intake-Pa55-word")
READER = ("reader", "reader-Pa55")
"""May log in by the web only."""
PROPERTIES = 'complaint_id=String(indexme="no"), channel=String(indexme="no"), category=String(), received=Date(), '
_ISSUE = 'issue = IssueClass(db, "issue",'
_USER_ROLE = "db.security.addPermissionToRole('User', 'Rest Access')"


class Roundup(StoreProcess):
    """`url` is the tracker's; `ask` goes there with the administrator's password unless `auth` says else."""

    NAME = "roundup"

    def __init__(self) -> None:
        super().__init__()
        self.url += MOUNT
        self.user, self.password = USER

    def command(self) -> Sequence[str]:
        return [sys.executable, "-m", "bench.servers.roundup", str(self.folder / "tracker"), str(self.port)]

    def working_folder(self) -> Path:
        return Path(__file__).parents[2]

    async def rest(self, method: str, path: str, **request: Any) -> Any:
        """One call of `/rest/data` as administrator; the decoded body."""
        origin = self.url.removesuffix(MOUNT)
        headers = {
            "X-Requested-With": "rest",
            "Origin": origin,
            "Referer": self.url + "/",
            **request.pop("headers", {}),
        }
        answer = await self.ask(method, f"/rest/data/{path}", auth=ADMIN, headers=headers, **request)
        return answer.json()

    async def items(self, name: str) -> list[dict[str, Any]]:
        """All items of a class that are not retired, whole, oldest first."""
        found = await self.rest("GET", f"{name}?@fields=id&@page_size=1000")
        ids = sorted((one["id"] for one in found["data"]["collection"]), key=int)
        return [await self.item(name, id_) for id_ in ids]

    async def item(self, name: str, id_: str) -> dict[str, Any]:
        """Its attributes; those of messages and files with their content, as bytes."""
        attributes: dict[str, Any] = (await self.rest("GET", f"{name}/{id_}"))["data"]["attributes"]
        if name in {"msg", "file"}:
            answer = await self.ask("GET", f"/rest/data/{name}/{id_}/binary_content", auth=ADMIN)
            attributes["content"] = answer.content
        return {"id": id_, **attributes}

    def texts(self) -> dict[str, str]:
        """Of all messages, by id, as they lie in the tracker: REST hands them out one by one."""
        files = (self.folder / "tracker" / "db" / "files" / "msg").rglob("msg*")
        return {file.name.removeprefix("msg"): file.read_text("utf-8") for file in files if file.name[3:].isdecimal()}

    async def retire(self, name: str, id_: str) -> None:
        """What Roundup calls deleting: it can still be read by its number, and is in no list any more."""
        etag = (await self.rest("GET", f"{name}/{id_}"))["data"]["@etag"]
        action = {"@op": "action", "@action_name": "retire"}
        await self.rest("PATCH", f"{name}/{id_}", json=action, headers={"If-Match": etag})

    async def clear(self) -> None:
        """Retire all issues, messages and files."""
        for name in ("issue", "msg", "file"):
            for one in (await self.rest("GET", f"{name}?@page_size=1000"))["data"]["collection"]:
                await self.retire(name, one["id"])


def make(home: Path, web: str) -> None:
    """A tracker in `home`, unless one is there."""
    from roundup import init, instance, password
    from roundup.admin import AdminTool

    if (home / "config.ini").exists():
        return
    settings = {
        "rdbms_backend": "sqlite",
        "tracker_web": web,
        "tracker_name": "客服中心",
        "mail_domain": "support.example.cn",
        "mail_host": "localhost",
        "mail_debug": str(home / "mails.txt"),
        "password_pbkdf2_default_rounds": "1000",  # it hashes again for every call
    }
    init.install(str(home), AdminTool().listTemplates()["classic"]["path"], settings=settings)
    schema = home / "schema.py"
    text = schema.read_text("utf-8")
    if _ISSUE not in text or _USER_ROLE not in text:
        raise RuntimeError("the classic template has changed")
    schema.write_text(text.replace(_ISSUE, f"{_ISSUE} {PROPERTIES}"), "utf-8")
    tracker = instance.open(str(home))
    tracker.init(password.Password(ADMIN[1], config=tracker.config))
    database = tracker.open("admin")
    for (name, word), roles in ((USER, "User"), (READER, "Anonymous")):
        secret = password.Password(word, config=tracker.config)
        database.user.create(username=name, password=secret, roles=roles, address=f"{name}@support.example.cn")
    database.commit()
    database.close()


def _mounted(application: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """The tracker under its path, as behind most web servers."""

    def at_mount(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if not path.startswith(f"{MOUNT}/"):
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"nothing here"]
        environ.update(SCRIPT_NAME=MOUNT, PATH_INFO=path.removeprefix(MOUNT), TRACKER_NAME="support")
        return application(environ, start_response)

    return at_mount


def serve(home: Path, port: int) -> None:
    from roundup.cgi.wsgi_handler import RequestDispatcher

    make(home, f"http://127.0.0.1:{port}{MOUNT}/")
    serve_wsgi(_mounted(RequestDispatcher(str(home))), port)


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
