"""Request Tracker 5, a real one from Debian's packages: SQLite, its own configuration, no mail, no system service."""

from __future__ import annotations

import base64
import quopri
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.servers.store import StoreProcess

ADMIN = ("root", "password")
USER = ("allears", "intake-Pa55-word")
STRANGER = ("stranger", "stranger-Pa55")
"""May log in, and has no rights in the queue."""
QUEUE = "Complaints"
KEY_FIELD = "Complaint ID"
READER = ("reader", "reader-Pa55")
"""May read what lies in the queue, and say nothing."""
CUSTOM_FIELDS = (KEY_FIELD, "投诉渠道", "Category", "Received")
RIGHTS = (
    *("SeeQueue", "CreateTicket", "ShowTicket", "ShowTicketComments", "ReplyToTicket"),
    *("CommentOnTicket", "ModifyTicket", "SeeCustomField", "ModifyCustomField"),
)
READS = ("SeeQueue", "ShowTicket", "ShowTicketComments", "SeeCustomField")
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
        self.tokens: dict[str, str] = {}
        """By login. RT makes passwords slow to check, and tokens quick."""

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
        data.write_text(_initial_data(self.folder / "tokens"), "utf-8")
        setup = shutil.which(SETUP) or SETUP
        self.run(setup, "--action", "init", "--skip-create")
        self.run(setup, "--action", "insert", "--datafile", str(data))
        lines = (self.folder / "tokens").read_text().splitlines()
        self.tokens = dict(line.split(" ", 1) for line in lines)

    def command(self) -> Sequence[str]:
        workers = ["--max-workers", "3", "--max-reqs-per-child", "100000"]  # each compiles all of RT for itself
        return [str(PROGRAM), "--host", "127.0.0.1", "--port", str(self.port), *workers]

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
        answer = await self.call(ADMIN[0], method, path, **request)
        return answer.json() if answer.content else None

    async def call(self, login: str, method: str, path: str, **request: Any) -> httpx.Response:
        """One call of REST 2 with that user's token; any answer is an answer."""
        headers = {"Authorization": f"token {self.tokens[login]}"}
        return await self.ask(method, f"/REST/2.0/{path}", headers=headers, **request)

    def tickets(self) -> list[dict[str, Any]]:
        """Those that are neither deleted nor merged away, each with its `fields`, and with `told`: (type, subject,
        text, [(file name, bytes)]) of creation, comments and correspondence. From the database: it is quicker."""
        with self._database() as database:
            found = database.execute(
                "SELECT id, Subject, Status, Priority FROM Tickets "
                "WHERE Status != 'deleted' AND Type = 'ticket' AND EffectiveId = id ORDER BY id"
            )
            return [
                {**dict(ticket), "fields": _fields(database, ticket["id"]), "told": _told(database, ticket["id"])}
                for ticket in found.fetchall()
            ]

    def clear(self) -> None:
        """Delete all tickets, as RT deletes: they are in no list any more."""
        with self._database() as database:
            database.execute("UPDATE Tickets SET Status = 'deleted'")
            database.execute("UPDATE ObjectCustomFieldValues SET Disabled = 1 WHERE ObjectType = 'RT::Ticket'")

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.folder / "rt.db", timeout=30)) as database, database:
            database.row_factory = sqlite3.Row
            yield database


def _fields(database: sqlite3.Connection, ticket: int) -> dict[str, str]:
    values = database.execute(
        "SELECT CustomFields.Name, Content FROM ObjectCustomFieldValues "
        "JOIN CustomFields ON CustomField = CustomFields.id "
        "WHERE ObjectType = 'RT::Ticket' AND ObjectId = ? AND ObjectCustomFieldValues.Disabled = 0",
        (ticket,),
    )
    return dict(values.fetchall())


def _told(database: sqlite3.Connection, ticket: int) -> list[tuple[str, str, str, list[tuple[str, bytes]]]]:
    rows = database.execute(
        "SELECT id, Type, Data FROM Transactions WHERE ObjectType = 'RT::Ticket' AND ObjectId IN "
        "(SELECT id FROM Tickets WHERE EffectiveId = ?) AND Type IN ('Create', 'Comment', 'Correspond') ORDER BY id",
        (ticket,),
    )
    return [(row["Type"], row["Data"] or "", *_parts(database, row["id"])) for row in rows.fetchall()]


def _parts(database: sqlite3.Connection, transaction: int) -> tuple[str, list[tuple[str, bytes]]]:
    rows = database.execute(
        "SELECT Filename, Content, ContentEncoding FROM Attachments "
        "WHERE TransactionId = ? AND ContentType NOT LIKE 'multipart/%' ORDER BY id",
        (transaction,),
    )
    parts = [(row["Filename"], _decoded(row["Content"], row["ContentEncoding"])) for row in rows.fetchall()]
    texts = [content.decode() for name, content in parts if not name]
    return "\n".join(texts), [(name, content) for name, content in parts if name]


def _decoded(content: str | bytes | None, encoding: str | None) -> bytes:
    raw = content.encode() if isinstance(content, str) else content or b""
    if encoding == "base64":
        return base64.b64decode(raw)
    return quopri.decodestring(raw) if encoding == "quoted-printable" else raw


def _initial_data(tokens: Path) -> str:
    """RT's own format of initial data: Perl. It writes a token for each user."""
    logins = " ".join(login for login, _ in (ADMIN, USER, STRANGER, READER))
    fields = "".join(
        f"{{ Name => '{name}', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket', "
        f"ApplyTo => '{QUEUE}' }},\n"
        for name in CUSTOM_FIELDS
    )
    users = "".join(
        f"{{ Name => '{name}', Password => '{password}', Privileged => 1, EmailAddress => '{name}@example.cn' }},\n"
        for name, password in (USER, STRANGER, READER)
    )
    rights = "".join(
        f"{{ Right => '{right}', Queue => '{QUEUE}', UserId => '{login}', GroupDomain => '' }},\n"
        for (login, _), granted in ((USER, RIGHTS), (READER, READS))
        for right in granted
    )
    return (
        "use utf8;\n"
        f"our @Queues = ({{ Name => '{QUEUE}', CorrespondAddress => '', CommentAddress => '' }});\n"
        f"our @CustomFields = (\n{fields});\n"
        f"our @Users = ({users});\n"
        f"our @ACL = (\n{rights});\n"
        f"our @Final = (sub {{ open(my $file, '>', '{tokens}') or die; for my $login (qw({logins})) {{ "
        "my $user = RT::User->new(RT->SystemUser); $user->Load($login); "
        "my ($ok, $said, $token) = RT::AuthToken->new(RT->SystemUser)->Create(Owner => $user->Id, "
        "Description => 'tests'); print $file qq($login $token\\n); } });\n1;\n"
    )
