"""Redmine 5, a real one from Debian's packages: SQLite, an instance of its own beside the packaged one. As root."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.servers.store import StoreProcess

HOME = Path("/usr/share/redmine")
PACKAGED = Path("/var/lib/dbconfig-common/sqlite3/redmine/instances/default/redmine_default")
BUNDLER = "2.3.15"
"""Debian's own; the newer one that comes with its Ruby does not find Debian's packages of gems."""
PROJECT = "complaints"
MAX_FILE_KB = 512
SEED = """\
Setting.rest_api_enabled = '1'
Setting.attachment_max_size = '%(max_file_kb)d'
Setting.text_formatting = 'common_mark'
project = Project.create!(name: '投诉', identifier: '%(project)s', enabled_module_names: ['issue_tracking'],
                          trackers: Tracker.all, is_public: false)
other = Project.create!(name: 'Elsewhere', identifier: 'elsewhere', enabled_module_names: ['issue_tracking'],
                        trackers: Tracker.all, is_public: false)
fields = [['Complaint ID', true], ['投诉渠道', false], ['Category', false]].map do |name, filter|
  IssueCustomField.create!(name: name, field_format: 'string', is_filter: filter, is_for_all: true,
                           trackers: Tracker.all).id
end
def person(login)
  person = User.new(firstname: login, lastname: 'x', mail: login + '@support.example.cn', language: 'en')
  person.login = login
  person.password = person.password_confirmation = 'intake-Pa55-word'
  person.save!
  person
end
hidden = Project.create!(name: 'Hidden', identifier: 'hidden', enabled_module_names: ['issue_tracking'],
                         trackers: Tracker.all, is_public: false)
allears, stranger, clerk = person('allears'), person('stranger'), person('clerk')
plain = Role.create!(name: 'Clerk', permissions: [:view_issues, :add_issues, :add_issue_notes])
Member.create!(user: clerk, project: project, roles: [plain])
role = Role.givable.find_by(name: 'Manager')
[project, other].each { |one| Member.create!(user: allears, project: one, roles: [role]) }
admin = User.find_by(login: 'admin')
admin.update_columns(must_change_passwd: false)
puts({fields: fields, hidden: hidden.id,
      keys: [allears, stranger, clerk, admin].map {|one| [one.login, one.api_key]}.to_h}.to_json)
"""


class Redmine(StoreProcess):
    """`key_field` is the number of the filterable custom field, `api_key` our user's key."""

    NAME = "redmine"
    START_SECONDS = 120

    def __init__(self) -> None:
        super().__init__()
        self.api_key = self.stranger_key = self.clerk_key = self._admin_key = ""
        """Of our user, of one who is in no project, and of one whose role knows no private notes."""
        self.hidden_project = 0
        self.fields: list[int] = []
        """Of the custom fields: the key's, channel's and category's."""

    @staticmethod
    def missing() -> str:
        """What has to be installed for it to run, or ""."""
        is_there = (HOME / "config.ru").exists() and shutil.which("puma")
        return "" if is_there else "Redmine (apt: redmine redmine-sqlite puma)"

    @staticmethod
    def may_run() -> bool:
        """Debian's Redmine shows its database to root alone."""
        return os.geteuid() == 0

    def prepare(self) -> None:
        if (self.folder / "redmine.db").exists():
            return
        for name in ("config", "log", "tmp", "files"):
            (self.folder / name).mkdir()
        database = f"production:\n  adapter: sqlite3\n  database: {self.folder}/redmine.db\n  timeout: 20000\n"
        (self.folder / "config/database.yml").write_text(database)
        (self.folder / "config/secret_key.txt").write_text("5e" * 32)
        shutil.copy(PACKAGED, self.folder / "redmine.db")
        seed = self.folder / "seed.rb"
        seed.write_text(SEED % {"max_file_kb": MAX_FILE_KB, "project": PROJECT}, "utf-8")
        said = json.loads(self.run("./bin/rails", "runner", str(seed)).splitlines()[-1])
        self.fields, self.hidden_project = said["fields"], said["hidden"]
        keys = said["keys"]
        self.api_key, self.stranger_key, self.clerk_key = keys["allears"], keys["stranger"], keys["clerk"]
        self._admin_key = keys["admin"]

    def command(self) -> Sequence[str]:
        return ["puma", "-e", "production", "-b", f"tcp://127.0.0.1:{self.port}", "-t", "1:4", "config.ru"]

    def environment(self) -> Mapping[str, str]:
        return {
            "RAILS_ENV": "production",
            "REDMINE_INSTANCE": "/".join([".."] * 4) + str(self.folder.resolve()),
            "BUNDLER_VERSION": BUNDLER,
            "HOME": str(self.folder),
        }

    def working_folder(self) -> Path:
        return HOME

    async def rest(self, method: str, path: str, **request: Any) -> Any:
        """One call as administrator; the decoded body."""
        answer = await self.ask(method, f"/{path}", headers={"X-Redmine-API-Key": self._admin_key}, **request)
        return answer.json() if answer.content else None

    async def issues(self) -> list[dict[str, Any]]:
        """All of them, closed ones too, with journals and attachments, oldest first."""
        found = await self.rest("GET", "issues.json?status_id=*&limit=100")
        numbers = sorted(issue["id"] for issue in found["issues"])
        return [(await self.rest("GET", f"issues/{id_}.json?include=journals,attachments"))["issue"] for id_ in numbers]

    async def download(self, attachment: Mapping[str, Any]) -> bytes:
        path = urlsplit(attachment["content_url"]).path
        return (await self.ask("GET", path, headers={"X-Redmine-API-Key": self._admin_key})).content

    def clear(self) -> None:
        """No issues any more, nor what belongs to them."""
        with closing(sqlite3.connect(self.folder / "redmine.db", timeout=20)) as database, database:
            for table in ("issues", "journals", "journal_details", "attachments"):
                database.execute(f"DELETE FROM {table}")
            database.execute("DELETE FROM custom_values WHERE customized_type = 'Issue'")
