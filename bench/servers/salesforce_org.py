"""The records of a Salesforce org in small: what can be written, what is refused, and SOQL of one line.

Object Reference (Case, CaseComment, ContentVersion, ContentDocumentLink); REST API Developer Guide, "Status Codes and
Error Responses". `DUPLICATE_VALUE` is worded as orgs do.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

KEY_FIELD = "Complaint_Id__c"
ORGANIZATION = {"Id": "00D5g000004XyzAEAS", "Name": "示例商城 Example Shop", "IsSandbox": True}
_SELECT = re.compile(
    r"SELECT (?P<columns>[\w., ]+) FROM (?P<kind>\w+)(?: WHERE (?P<where>.+?))?"
    r"(?: ORDER BY (?P<order>\w+)(?: (?P<way>ASC|DESC))?)?(?: LIMIT (?P<limit>\d+))?"
)
_IS = re.compile(r"(\w+) = (?:'((?:[^'\\]|\\.)*)'|(true|false))")
_IN = re.compile(r"(\w+) IN \(([^)]*)\)")


class Refused(Exception):
    """One entry of an error answer."""

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.fields, self.status = code, message, list(fields), status

    def shown(self) -> list[dict[str, Any]]:
        return [{"message": self.message, "errorCode": self.code, "fields": self.fields}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field as `describe` shows it."""

    kind: str = "string"
    length: int = 255
    """Characters; of `CaseComment.CommentBody` bytes."""
    values: tuple[str, ...] = ()
    is_restricted: bool = False
    is_unique: bool = False
    is_external_id: bool = False
    is_createable: bool = True
    is_required: bool = False

    def shown(self, name: str) -> dict[str, Any]:
        return {
            "name": name,
            "label": name.removesuffix("__c").replace("_", " "),
            "type": self.kind,
            "length": self.length if self.kind in ("string", "textarea", "email", "phone") else 0,
            "picklistValues": [{"value": value, "label": value, "active": True} for value in self.values],
            "restrictedPicklist": self.is_restricted,
            "unique": self.is_unique,
            "externalId": self.is_external_id,
            "createable": self.is_createable,
            "updateable": self.is_createable,
            "nillable": not self.is_required,
            "custom": name.endswith("__c"),
        }


_SYSTEM = Column(is_createable=False)
_REFERENCE = Column(kind="reference", length=18)
SCHEMA: Mapping[str, Mapping[str, Column]] = {
    "Case": {
        "Id": _SYSTEM,
        "CaseNumber": _SYSTEM,
        "IsClosed": Column(kind="boolean", is_createable=False),
        "IsDeleted": Column(kind="boolean", is_createable=False),
        "MasterRecordId": Column(kind="reference", is_createable=False),
        "CreatedDate": Column(kind="datetime", is_createable=False),
        "Subject": Column(),
        "Description": Column(kind="textarea", length=32_000),
        "Status": Column(kind="picklist", values=("New", "Working", "Escalated", "Closed")),
        "Priority": Column(kind="picklist", values=("High", "Medium", "Low")),
        "Origin": Column(kind="picklist", values=("Phone", "Email", "Web")),
        "Type": Column(kind="picklist", values=("Mechanical", "Electrical", "Other")),
        "SuppliedName": Column(length=80),
        "SuppliedEmail": Column(kind="email", length=80),
        "SuppliedPhone": Column(length=40),
        "OwnerId": _REFERENCE,
        KEY_FIELD: Column(length=60, is_unique=True, is_external_id=True),
        "Complaint_Reference__c": Column(length=30, is_external_id=True),
        "Channel__c": Column(length=80),
        "Category__c": Column(kind="picklist", values=("Product", "Logistics", "Other"), is_restricted=True),
        "Expectation__c": Column(kind="multipicklist", values=("refund", "exchange", "apology"), is_restricted=True),
        "Received_At__c": Column(kind="datetime"),
        "Order__c": Column(),
        "Customer_Id__c": Column(),
    },
    "CaseComment": {
        "Id": _SYSTEM,
        "IsDeleted": Column(kind="boolean", is_createable=False),
        "CreatedDate": Column(kind="datetime", is_createable=False),
        "ParentId": Column(kind="reference", is_required=True),
        "CommentBody": Column(kind="textarea", length=4000),
        "IsPublished": Column(kind="boolean"),
    },
    "ContentVersion": {
        "Id": _SYSTEM,
        "ContentDocumentId": Column(kind="reference", is_createable=False),
        "Checksum": _SYSTEM,
        "ContentSize": Column(kind="int", is_createable=False),
        "Title": Column(is_required=True),
        "PathOnClient": Column(length=500, is_required=True),
        "Description": Column(kind="textarea", length=1000),
        "VersionData": Column(kind="base64", is_required=True),
        "FirstPublishLocationId": _REFERENCE,
    },
    "ContentDocumentLink": {
        "Id": _SYSTEM,
        "LinkedEntityId": Column(kind="reference", is_required=True),
        "ContentDocumentId": Column(kind="reference", is_required=True),
        "ShareType": Column(kind="picklist", values=("V", "C", "I"), is_restricted=True),
        "Visibility": Column(kind="picklist", values=("AllUsers", "InternalUsers", "SharedUsers"), is_restricted=True),
    },
    "Organization": {"Id": _SYSTEM, "Name": _SYSTEM, "IsSandbox": Column(kind="boolean", is_createable=False)},
}
_PREFIX = {"Case": "500", "CaseComment": "00a", "ContentVersion": "068", "ContentDocumentLink": "06A"}


class Org:
    """All records, by object; a whole copy is kept while a transaction runs."""

    def __init__(self) -> None:
        self.schema: dict[str, dict[str, Column]] = {kind: dict(columns) for kind, columns in SCHEMA.items()}
        """A test takes a field away, or makes the key's not unique."""
        self.rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in SCHEMA}
        self.rows["Organization"].append(dict(ORGANIZATION))
        self.hidden: set[str] = set()
        """Ids that sharing rules keep from this user."""
        self._next = 1

    def snapshot(self) -> dict[str, list[dict[str, Any]]]:
        return deepcopy(self.rows)

    def columns(self, kind: str) -> dict[str, Column]:
        if kind not in self.schema:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        return self.schema[kind]

    def describe(self, kind: str) -> dict[str, Any]:
        fields = [column.shown(name) for name, column in self.columns(kind).items()]
        return {"name": kind, "createable": kind in _PREFIX, "queryable": True, "fields": fields}

    def row(self, kind: str, id_: str) -> dict[str, Any] | None:
        return next((row for row in self.rows[kind] if row["Id"] == id_), None)

    def visible(self, kind: str) -> Iterator[dict[str, Any]]:
        return (row for row in self.rows[kind] if not row.get("IsDeleted") and row["Id"] not in self.hidden)

    def create(self, kind: str, given: Mapping[str, Any]) -> str:
        columns = self.columns(kind)
        missing = [name for name, column in columns.items() if column.is_required and not given.get(name)]
        if missing:
            raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: {missing}", *missing)
        self._check(kind, given)
        if kind == "ContentDocumentLink":
            self._check_link(given)
        id_ = f"{_PREFIX[kind]}5g00000{self._next:05d}AAA"
        self._next += 1
        blank: dict[str, Any] = {name: False if one.kind == "boolean" else None for name, one in columns.items()}
        row = {**blank, **given, "Id": id_}
        if "CreatedDate" in columns:
            row["CreatedDate"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        if kind == "Case":
            row |= {"CaseNumber": f"{len(self.rows[kind]) + 1026:08d}", "Status": given.get("Status") or "New"}
        if kind == "ContentVersion":
            row |= _file(id_, given)
        self.rows[kind].append(row)
        return id_

    def update(self, kind: str, row: dict[str, Any], given: Mapping[str, Any]) -> None:
        self._check(kind, given, row)
        row.update(given)

    def matching(self, kind: str, field: str, value: str) -> list[dict[str, Any]]:
        """By an external id; upper and lower case are the same."""
        column = self.columns(kind).get(field)
        if column is None or not column.is_external_id:
            raise Refused("NOT_FOUND", "Provided external ID field does not exist or is not accessible", status=404)
        return [row for row in self.rows[kind] if str(row[field]).lower() == value.lower() and not row["IsDeleted"]]

    def query(self, text: str) -> list[dict[str, Any]]:
        match = _SELECT.fullmatch(" ".join(text.split()))
        if match is None:
            raise Refused("MALFORMED_QUERY", "unexpected token")
        kind = match["kind"]
        names = [name.strip() for name in match["columns"].split(",")]
        conditions = match["where"].split(" AND ") if match["where"] else []
        for name in (*names, *([match["order"]] if match["order"] else [])):
            if not (kind == "ContentDocumentLink" and name.startswith("ContentDocument.")):
                self._known(kind, name, "INVALID_FIELD")
        rows = [row for row in self.visible(kind) if all(self._holds(kind, row, one) for one in conditions)]
        if match["order"]:
            rows.sort(key=lambda row: str(row[match["order"]]), reverse=match["way"] == "DESC")
        shown = [{"attributes": {"type": kind}, **self._columns_of(row, names)} for row in rows]
        return shown[: int(match["limit"])] if match["limit"] else shown

    def _columns_of(self, row: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
        """A dotted name is that of the document a link leads to."""
        shown = {name: row[name] for name in names if "." not in name}
        further = [name.partition(".")[2] for name in names if "." in name]
        if further:
            versions = self.rows["ContentVersion"]
            document = next(one for one in versions if one["ContentDocumentId"] == row["ContentDocumentId"])
            shown["ContentDocument"] = {name: document[name] for name in further}
        return shown

    def _known(self, kind: str, name: str, code: str) -> Column:
        if name not in self.columns(kind):
            raise Refused(code, f"No such column '{name}' on sobject of type {kind}", name)
        return self.columns(kind)[name]

    def _holds(self, kind: str, row: Mapping[str, Any], condition: str) -> bool:
        if match := _IS.fullmatch(condition):
            self._known(kind, match[1], "INVALID_FIELD")
            wanted = match[3] == "true" if match[3] else re.sub(r"\\(.)", r"\1", match[2])
            return bool(str(row[match[1]]).lower() == str(wanted).lower())
        if match := _IN.fullmatch(condition):
            self._known(kind, match[1], "INVALID_FIELD")
            return row[match[1]] in re.findall(r"'([^']*)'", match[2])
        raise Refused("MALFORMED_QUERY", f"unexpected token: {condition}")

    def _check(self, kind: str, given: Mapping[str, Any], row: Mapping[str, Any] | None = None) -> None:
        for name, value in given.items():
            column = self._known(kind, name, "INVALID_FIELD")
            if not column.is_createable:
                text = f"Unable to create/update fields: {name}. Please check the security settings of this field"
                raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", text, name)
            if value is not None:
                self._check_value(kind, name, column, value)
                self._check_unique(kind, name, column, value, row)

    def _check_value(self, kind: str, name: str, column: Column, value: Any) -> None:
        if isinstance(value, str | int | float | bool) is False:
            raise Refused("JSON_PARSER_ERROR", f"Cannot deserialize instance of {column.kind} from {value!r}", name)
        _check_text(name, column, str(value))
        if column.kind == "reference":
            self._check_reference(name, str(value))
        chosen = str(value).split(";") if column.kind == "multipicklist" else [str(value)]
        if column.is_restricted and not set(chosen) <= set(column.values):
            text = f"{name}: bad value for restricted picklist field: {value}"
            raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", text, name)

    def _check_reference(self, name: str, id_: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9]{15}|[A-Za-z0-9]{18}", id_):
            raise Refused("MALFORMED_ID", f"{name}: id value of incorrect type: {id_}", name)
        row = self.row("Case", id_) if id_.startswith("500") else {}
        if row is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row.get("IsDeleted"):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted")
        if id_ in self.hidden:
            raise Refused("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", f"insufficient access rights: {id_}")

    def _check_link(self, given: Mapping[str, Any]) -> None:
        entity, document = given["LinkedEntityId"], given["ContentDocumentId"]
        if not any(row["ContentDocumentId"] == document for row in self.rows["ContentVersion"]):
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        there = [(row["LinkedEntityId"], row["ContentDocumentId"]) for row in self.rows["ContentDocumentLink"]]
        if (entity, document) in there:
            text = f"Document with ID: {document} is already linked with the entity with ID: {entity}"
            raise Refused("DUPLICATE_VALUE", text, "LinkedEntityId")

    def _check_unique(self, kind: str, name: str, column: Column, value: Any, row: Mapping[str, Any] | None) -> None:
        if not column.is_unique:
            return
        for other in self.matching(kind, name, str(value)):
            if other is not row:
                id_ = "<unknown>" if other["Id"] in self.hidden else other["Id"][:15]
                text = f"duplicate value found: {name} duplicates value on record with id: {id_}"
                raise Refused("DUPLICATE_VALUE", text)


def _check_text(name: str, column: Column, text: str) -> None:
    size = len(text.encode()) if name == "CommentBody" else len(text)
    if column.kind in ("string", "textarea", "email", "phone") and size > column.length:
        raise Refused(
            "STRING_TOO_LONG", f"{name}: data value too large: {text[:20]}… (max length={column.length})", name
        )
    if column.kind == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", text):
        raise Refused("INVALID_EMAIL_ADDRESS", f"{name}: invalid email address: {text}", name)
    if column.kind == "datetime":
        try:
            datetime.fromisoformat(text)
        except ValueError:
            raise Refused("JSON_PARSER_ERROR", f"Cannot deserialize instance of datetime from {text}", name) from None


def _file(version: str, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        data = base64.b64decode(given["VersionData"], validate=True)
    except ValueError:
        raise Refused("JSON_PARSER_ERROR", "VersionData: not base64", "VersionData") from None
    checksum = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {"ContentDocumentId": "069" + version[3:], "Checksum": checksum, "ContentSize": len(data)}
