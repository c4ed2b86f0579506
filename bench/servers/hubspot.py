"""HubSpot's CRM in small, on real HTTP: tickets with a unique property, notes, associations, files.

HubSpot API reference: "Tickets", "Notes", "Properties", "Pipelines", "Associations", "Files"; the numbers of
associations are those of HubSpot's own client. How a repeated unique value is refused is not documented: `duplicates`
says which way.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal

from aiohttp import web

from allears_sdk.testing.memory import Fault
from bench.servers.desk import Desk, Refusal
from bench.servers.hubspot_records import Property, Record, Schema

TOKEN = "pat-eu1-simulated-private-app-token-of-nobody"
PORTAL = 26_110_842
STAGES = {"0": {"1": "New", "2": "Waiting on contact", "4": "Closed"}, "52190": {"52191": "投诉受理"}}
"""Pipeline → stage → label."""
ASSOCIATIONS = {("tickets", "notes"): 227, ("notes", "tickets"): 228, ("tickets", "contacts"): 16}
MAX_NOTE_CHARS = 65_536
VERSIONS = ("v3", "2026-03")
OBJECT_TYPE = {"tickets": "0-5", "notes": "0-46", "contacts": "0-1"}


class Hubspot(Desk):
    """`await start()`; then `url`. `records` holds tickets, notes and contacts; `links` who belongs to whom."""

    WORK: ClassVar[str] = r"(POST /crm/\S*objects/(2026-03/)?(tickets|notes)$|PUT /crm/)"
    STATUS: ClassVar[Mapping[Any, int]] = {Fault.REJECT: 400}

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(now)
        self.schema = Schema()
        self.records: list[Record] = []
        self.links: set[tuple[str, str]] = set()
        """(ticket's id, id of a note or contact)."""
        self.uploads: dict[str, tuple[str, bytes]] = {}
        """Name and bytes, by file id."""
        self.duplicates: Literal["invalid", "conflict"] = "invalid"
        self.page_size = 500
        self._next = 21_470_001

    # What a test looks at

    def tickets(self) -> list[Record]:
        return [one for one in self.records if one.kind == "tickets" and not one.is_archived]

    def notes(self, ticket: str) -> list[Record]:
        """Those that stand in the ticket."""
        return [one for one in self.records if one.kind == "notes" and (ticket, one.id) in self.links]

    def files(self, ticket: str) -> list[tuple[str, bytes]]:
        ids = [note.properties.get("hs_attachment_ids", "") for note in self.notes(ticket)]
        return [self.uploads[id_] for several in ids for id_ in several.split(";") if id_]

    # What a test does over there

    def add_contact(self, email: str) -> str:
        return self._create("contacts", {"properties": {"email": email}}).id

    def archive(self, ticket: str, *, into: str = "") -> None:
        """Into the recycle bin; `into`: merged into that ticket."""
        record = self._record("tickets", ticket)
        record.is_archived, record.merged_into = True, into

    # Answering

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            *self._objects("/crm/v3/objects/{kind}", "/crm/v4/objects/{kind}"),
            *self._objects("/crm/objects/2026-03/{kind}", "/crm/objects/2026-03/{kind}"),
            *(web.get(f"/account-info/{version}/details", self._account) for version in VERSIONS),
            *(web.post(f"/files/{version}/files", self._upload) for version in VERSIONS),
            web.get("/crm/v3/properties/{kind}", self._properties),
            web.get("/crm/properties/2026-03/{kind}", self._properties),
            web.get("/crm/v3/pipelines/tickets", self._pipelines),
            web.get("/crm/pipelines/2026-03/tickets", self._pipelines),
        ]

    def _objects(self, objects: str, linked: str) -> Iterable[web.RouteDef]:
        return [
            web.post(objects, self._post),
            web.post(objects + "/batch/upsert", self._upsert),
            web.post(objects + "/batch/read", self._read),
            web.get(objects + "/{id}", self._get),
            web.patch(objects + "/{id}", self._patch),
            web.delete(objects + "/{id}", self._delete),
            web.get(linked + "/{id}/associations/{other}", self._list_links),
            web.put(linked + "/{id}/associations/default/{other}/{other_id}", self._put_link),
        ]

    async def fail_next(self, fault: Fault) -> None:
        if fault is Fault.GONE:
            self.plan(fault, on=r"GET /crm/\S+/tickets/\d+$")
        else:
            await super().fail_next(fault)

    def is_allowed(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {TOKEN}"

    def refusal(self, status: int, request: web.Request) -> web.Response:
        category, message = _CATEGORIES.get(status, ("INTERNAL_ERROR", "服务器忙 busy"))
        return web.json_response(_error(category, message), status=status)

    async def _account(self, request: web.Request) -> web.Response:
        return web.json_response({"portalId": PORTAL, "uiDomain": "app-eu1.hubspot.com", "accountType": "STANDARD"})

    async def _properties(self, request: web.Request) -> web.Response:
        known = self.schema.of(_kind(request))
        return web.json_response({"results": [one.shown() for one in known.values()]})

    async def _pipelines(self, request: web.Request) -> web.Response:
        shown = [
            {"id": id_, "label": f"Pipeline {id_}", "stages": [{"id": one, "label": stages[one]} for one in stages]}
            for id_, stages in STAGES.items()
        ]
        return web.json_response({"results": shown})

    async def _post(self, request: web.Request) -> web.Response:
        record = self._create(_kind(request), await request.json())
        return web.json_response(record.shown(record.properties), status=201)

    async def _upsert(self, request: web.Request) -> web.Response:
        """Overwrites what agents wrote; knows no associations."""
        results = []
        for one in (await request.json())["inputs"]:
            kind = _kind(request)
            found = self._by_property(kind, one["idProperty"], one["id"])
            if found is None:
                found, is_new = (
                    self._create(kind, {"properties": {**one["properties"], one["idProperty"]: one["id"]}}),
                    True,
                )
            else:
                self._check(kind, one["properties"], found)
                found.properties |= one["properties"]
                is_new = False
            results.append({**found.shown(found.properties), "new": is_new})
        return web.json_response({"status": "COMPLETE", "results": results})

    async def _read(self, request: web.Request) -> web.Response:
        """200, or 207 when some are not there."""
        given, kind = await request.json(), _kind(request)
        wanted = [one["id"] for one in given["inputs"]]
        if len(wanted) > 100:
            raise _refused(400, "VALIDATION_ERROR", "The maximum number of inputs is 100")
        if "idProperty" in given:
            looked_up = [self._by_property(kind, given["idProperty"], id_) for id_ in wanted]
            found = [one for one in looked_up if one is not None]
        else:
            found = [one for one in self._living(kind) if one.id in wanted]
        body: dict[str, Any] = {"status": "COMPLETE", "results": [one.shown(given["properties"]) for one in found]}
        if len(found) == len(wanted):
            return web.json_response(body)
        error = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some objects"}
        return web.json_response({**body, "numErrors": len(wanted) - len(found), "errors": [error]}, status=207)

    async def _get(self, request: web.Request) -> web.Response:
        kind, id_ = _kind(request), request.match_info["id"]
        wanted = request.query.get("properties", "subject").split(",")
        if "idProperty" not in request.query:
            return web.json_response(self._current(self._record(kind, id_)).shown(wanted))
        found = self._by_property(kind, request.query["idProperty"], id_)
        if found is None:
            raise _refused(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
        return web.json_response(found.shown(wanted))

    async def _patch(self, request: web.Request) -> web.Response:
        record = self._current(self._record(_kind(request), request.match_info["id"]))
        given = (await request.json())["properties"]
        self._check(record.kind, given, record)
        record.properties |= given
        return web.json_response(record.shown(record.properties))

    async def _delete(self, request: web.Request) -> web.Response:
        self._record(_kind(request), request.match_info["id"]).is_archived = True
        return web.Response(status=204)

    async def _list_links(self, request: web.Request) -> web.Response:
        this, other = self._record(_kind(request), request.match_info["id"]).id, request.match_info["other"]
        ids = [one.id for one in self.records if one.kind == other and (this, one.id) in self.links]
        after = int(request.query.get("after", 0))
        size = min(int(request.query.get("limit", 500)), self.page_size)
        types = [{"category": "HUBSPOT_DEFINED", "typeId": ASSOCIATIONS[(_kind(request), other)], "label": None}]
        results = [{"toObjectId": int(id_), "associationTypes": types} for id_ in ids[after : after + size]]
        paging = {"paging": {"next": {"after": str(after + size)}}} if len(ids) > after + size else {}
        return web.json_response({"results": results, **paging})

    async def _put_link(self, request: web.Request) -> web.Response:
        one = self._current(self._record(_kind(request), request.match_info["id"]))
        other = self._current(self._record(request.match_info["other"], request.match_info["other_id"]))
        self._link(one, other)
        return web.json_response({"status": "COMPLETE", "results": []})

    async def _upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        file, options = form.get("file"), json.loads(str(form.get("options", "{}")))
        if not isinstance(file, web.FileField) or ("folderPath" in form) == ("folderId" in form):
            raise _refused(400, "VALIDATION_ERROR", "file and one of folderId, folderPath are required")
        if options.get("access") not in ("PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE", "HIDDEN_INDEXABLE",
                                         "HIDDEN_NOT_INDEXABLE", "HIDDEN_PRIVATE", "PRIVATE"):  # fmt: skip
            raise _refused(400, "VALIDATION_ERROR", "options.access is required")
        id_ = self._number()
        self.uploads[id_] = (file.filename, file.file.read())
        return web.json_response({"id": id_, "name": file.filename, "access": options["access"]}, status=201)

    # Keeping

    def _number(self) -> str:
        self._next += 1
        return str(self._next)

    def _create(self, kind: str, body: Mapping[str, Any]) -> Record:
        properties = {name: str(value) for name, value in body["properties"].items() if value is not None}
        self._check(kind, properties, None)
        required = {"tickets": "hs_pipeline_stage", "notes": "hs_timestamp"}.get(kind)
        if required and required not in properties:
            raise _invalid(required, "REQUIRED_FIELD", "is required")
        targets = [self._target(kind, one) for one in body.get("associations") or ()]
        record = Record(self._number(), kind, properties)
        self.records.append(record)
        for target in targets:
            self._link(record, target)
        return record

    def _target(self, kind: str, association: Mapping[str, Any]) -> Record:
        id_ = str(association["to"]["id"])
        target = next((one for one in self.records if one.id == id_), None)
        if target is None or target.is_archived:
            raise _refused(404, "OBJECT_NOT_FOUND", f"object {id_} does not exist")
        (type_,) = association["types"]
        if ASSOCIATIONS.get((kind, target.kind)) != type_["associationTypeId"]:
            raise _refused(400, "VALIDATION_ERROR", f"No association type {type_['associationTypeId']} from {kind}")
        return target

    def _link(self, one: Record, other: Record) -> None:
        ticket, rest = (one, other) if one.kind == "tickets" else (other, one)
        self.links.add((ticket.id, rest.id))

    def _record(self, kind: str, id_: str) -> Record:
        found = next((one for one in self.records if (one.kind, one.id) == (kind, id_)), None)
        if found is None or (found.is_archived and not found.merged_into):
            raise _refused(404, "OBJECT_NOT_FOUND", f"Object not found.  objectId: {id_}")
        return found

    def _current(self, record: Record) -> Record:
        return self._record(record.kind, record.merged_into) if record.merged_into else record

    def _by_property(self, kind: str, name: str, value: str) -> Record | None:
        known = self.schema.of(kind).get(name)
        if known is None or not known.is_unique:
            raise _refused(400, "VALIDATION_ERROR", f"{name} is not a unique property of {kind}")
        return next((one for one in self._living(kind) if one.properties.get(name, "").lower() == value.lower()), None)

    def _living(self, kind: str) -> list[Record]:
        return [one for one in self.records if one.kind == kind and not one.is_archived]

    def _check(self, kind: str, properties: Mapping[str, str], record: Record | None) -> None:
        known = self.schema.of(kind)
        for name, value in properties.items():
            if name not in known:
                raise _invalid(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
            if known[name].is_read_only:
                raise _invalid(name, "READ_ONLY_VALUE", "is a read only property")
            if known[name].options and not set(value.split(";")) <= {*known[name].options, ""}:
                raise _invalid(name, "INVALID_OPTION", f"{value} was not one of the allowed options")
            self._check_unique(kind, known[name], value, record)
        if len(properties.get("hs_note_body", "")) > MAX_NOTE_CHARS:
            raise _invalid("hs_note_body", "INVALID_STRING_TOO_LONG", f"longer than {MAX_NOTE_CHARS}")
        self._check_stage(properties)

    def _check_unique(self, kind: str, known: Property, value: str, record: Record | None) -> None:
        if not known.is_unique or self._by_property(kind, known.name, value) in (None, record):
            return
        if self.duplicates == "conflict":
            raise _refused(409, "CONFLICT", f"{kind} already exists with {known.name} {value}")
        raise _invalid(known.name, "CONFLICTING_UNIQUE_VALUE", "already has that value.")

    def _check_stage(self, properties: Mapping[str, str]) -> None:
        if "hs_pipeline_stage" not in properties:
            return
        stages = STAGES.get(properties.get("hs_pipeline", "0"))
        if stages is None or properties["hs_pipeline_stage"] not in stages:
            raise _invalid("hs_pipeline_stage", "INVALID_OPTION", "is not a stage of this pipeline: give its id")


_CATEGORIES: Mapping[int, tuple[str, str]] = {
    400: ("VALIDATION_ERROR", "投诉须有订单 order missing"),
    401: ("INVALID_AUTHENTICATION", "Authentication credentials not found."),
    404: ("OBJECT_NOT_FOUND", "Object not found."),
    429: ("RATE_LIMITS", "You have reached your ten_secondly_rolling limit."),
}


def _kind(request: web.Request) -> str:
    kind = request.match_info["kind"]
    kind = next((name for name, number in OBJECT_TYPE.items() if kind == number), kind)
    if kind not in OBJECT_TYPE:
        raise _refused(400, "VALIDATION_ERROR", f"Unable to infer object type from: {kind}")
    return kind


def _error(category: str, message: str) -> dict[str, Any]:
    return {"status": "error", "message": message, "correlationId": "7c6a3c1b-simulated", "category": category}


def _refused(status: int, category: str, message: str) -> Refusal:
    return Refusal(status, _error(category, message))


def _invalid(name: str, code: str, message: str) -> Refusal:
    told = json.dumps([{"isValid": False, "message": message, "error": code, "name": name}])
    error = {"message": message, "code": code, "context": {"propertyName": [name]}}
    return Refusal(400, {**_error("VALIDATION_ERROR", f"Property values were not valid: {told}"), "errors": [error]})
