"""Request Tracker 5, a real one from Debian's packages: SQLite, its own configuration, no mail, no system service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.servers.store import StoreProcess

ADMIN = ("root", "password")
USER = ("allears", "intake-Pa55-word")
STRANGER = ("stranger", "stranger-Pa55")
"""May log in, and has no rights in the queue."""
QUEUE = "Complaints"
KEY_FIELD = "Complaint ID"
CUSTOM_FIELDS = (KEY_FIELD, "投诉渠道", "Category", "Received")
RIGHTS = (
    *("SeeQueue", "CreateTicket", "ShowTicket", "ShowTicketComments", "ReplyToTicket"),
    *("CommentOnTicket", "ModifyTicket", "SeeCustomField", "ModifyCustomField"),
)
PROGRAM = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = "/usr/sbin/rt-setup-database-5"
SITE_CONFIG = """\
Set($rtname, 'support.example.cn');
Set($Organization, 'support.example.cn');
Set($WebDomain, '127.0.0.1');
Set($WebPort, {port});
Set($WebPath, '');
Set($CorrespondAddress, 'rt@support.example.cn');
Set($CommentAddress, 'rt-comment@support.example.cn');
Set($MailCommand, 'testfile');
Set($DatabaseType, 'SQLite');
Set($DatabaseName, '{folder}/rt.db');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($LogDir, '{folder}');
Set($Timezone, 'UTC');
Set($WebSessionClass, 'Apache::Session::File');
Set($MasonDataDir, '{folder}/mason');
Set($MasonSessionDir, '{folder}/sessions');
1;
"""


class RequestTracker(StoreProcess):
    """`url` is RT's own; its REST 2 interface lies at `/REST/2.0` below."""

    NAME = "request-tracker"
    START_SECONDS = 90

    def __init__(self) -> None:
        super().__init__()
        self.user, self.password = USER

    @staticmethod
    def program() -> str | None:
        """Where it is installed, or None."""
        return str(PROGRAM) if PROGRAM.exists() else None

    def prepare(self) -> None:
        config = self.folder / "RT_SiteConfig.pm"
        config.write_text(SITE_CONFIG.format(port=self.port, folder=self.folder), "utf-8")
        for name in ("mason", "sessions"):
            (self.folder / name).mkdir(exist_ok=True)
        if (self.folder / "rt.db").exists():
            return
        data = self.folder / "data.pl"
        data.write_text(_initial_data(), "utf-8")
        setup = shutil.which(SETUP) or SETUP
        self.run(setup, "--action", "init", "--skip-create")
        self.run(setup, "--action", "insert", "--datafile", str(data))

    def command(self) -> Sequence[str]:
        return [str(PROGRAM), "--host", "127.0.0.1", "--port", str(self.port)]

    def environment(self) -> Mapping[str, str]:
        return {
            "RT_SITE_CONFIG": str(self.folder / "RT_SiteConfig.pm"),
            "RT_SITE_CONFIG_DIR": "/nonexistent",
            "TMPDIR": str(self.folder),  # there go the mails
        }

    def working_folder(self) -> Path:
        return self.folder

    async def rest(self, method: str, path: str, **request: Any) -> Any:
        """One call of REST 2 as administrator; the decoded body."""
        answer = await self.ask(method, f"/REST/2.0/{path}", auth=ADMIN, **request)
        return answer.json() if answer.content else None

    async def tickets(self) -> list[dict[str, Any]]:
        """Those that are not deleted, with their `transactions`, each with its `texts` and `files` (name, bytes)."""
        fields = {"query": "id > 0", "per_page": 100, "fields": "Subject,Status,Priority,Queue,CustomFields"}
        found: list[dict[str, Any]] = (await self.rest("GET", "tickets", params=fields))["items"]
        for ticket in found:
            ticket["transactions"] = await self._transactions(ticket["id"])
        return sorted(found, key=lambda ticket: int(ticket["id"]))

    async def _transactions(self, ticket: str) -> list[dict[str, Any]]:
        wanted = {"fields": "Type,Data", "per_page": 100}
        found: list[dict[str, Any]] = (await self.rest("GET", f"ticket/{ticket}/history", params=wanted))["items"]
        kept = [one for one in found if one["Type"] in {"Create", "Correspond", "Comment"}]
        for one in kept:
            one["attachments"] = await self._attachments(one["id"])
        return kept

    async def _attachments(self, transaction: str) -> list[dict[str, Any]]:
        listed = await self.rest("GET", f"transaction/{transaction}/attachments", params={"per_page": 100})
        whole = [await self.rest("GET", f"attachment/{one['id']}") for one in listed["items"]]
        return [one for one in whole if one.get("Content")]

    async def clear(self) -> None:
        """Delete all tickets, as RT deletes: they are in no list any more."""
        found = await self.rest("GET", "tickets", params={"query": "id > 0", "per_page": 100})
        for ticket in found["items"]:
            await self.rest("DELETE", f"ticket/{ticket['id']}")


def _initial_data() -> str:
    """RT's own format of initial data: Perl."""
    fields = "".join(
        f"{{ Name => '{name}', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', "
        f"ApplyTo => '{QUEUE}' }},\n"
        for name in CUSTOM_FIELDS
    )
    users = "".join(
        f"{{ Name => '{name}', Password => '{password}', Privileged => 1, EmailAddress => '{name}@example.cn' }},\n"
        for name, password in (USER, STRANGER)
    )
    rights = "".join(
        f"{{ Right => '{right}', Queue => '{QUEUE}', UserId => '{USER[0]}', GroupDomain => '' }},\n" for right in RIGHTS
    )
    return (
        "use utf8;\n"
        f"our @Queues = ({{ Name => '{QUEUE}', CorrespondAddress => '', CommentAddress => '' }});\n"
        f"our @CustomFields = (\n{fields});\n"
        f"our @Users = ({users});\n"
        f"our @ACL = (\n{rights});\n1;\n"
    )
