"""Jira Service Management in small: customer requests, their comments and files ("Jira Service Management Cloud REST
API")."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from bench.servers.desk import Refusal
from bench.servers.jira_site import FIELDS, SD_FIELDS, Site, files_of, text_errors

DESK = "4"
REQUEST_TYPE = "25"
_BASE = "/rest/servicedeskapi"


class ServiceDesk:
    """The service desk of the project CMP."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.temporary: dict[str, tuple[str, bytes]] = {}
        """Name and bytes of files that belong to nothing yet; each can be used once."""

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get(_BASE + "/servicedesk/{desk}", self._desk),
            web.get(_BASE + "/servicedesk/{desk}/requesttype/{type}/field", self._fields),
            web.post(_BASE + "/servicedesk/{desk}/attachTemporaryFile", self._upload),
            web.post(_BASE + "/request", self._request),
            web.post(_BASE + "/request/{key}/comment", self._comment),
            web.post(_BASE + "/request/{key}/attachment", self._attach),
        ]

    async def _desk(self, request: web.Request) -> web.Response:
        _need(request.match_info["desk"] == DESK, 404, "The service desk with that ID does not exist")
        return web.json_response({"id": DESK, "projectKey": "CMP", "projectName": "投诉 Complaints"})

    async def _fields(self, request: web.Request) -> web.Response:
        _need(request.match_info["type"] == REQUEST_TYPE, 404, "The request type with that ID does not exist")
        rows = [{"fieldId": name, "name": FIELDS[name], "required": name == "summary"} for name in SD_FIELDS]
        return web.json_response({"requestTypeFields": rows, "canRaiseOnBehalfOf": True})

    async def _upload(self, request: web.Request) -> web.Response:
        made = []
        for name, data in (await files_of(request, self._site.upload_limit)).items():
            token = f"temp{self._site.next_id()}"
            self.temporary[token] = (name, data)
            made.append({"temporaryAttachmentId": token, "fileName": name})
        return web.json_response({"temporaryAttachments": made}, status=201)

    async def _request(self, request: web.Request) -> web.Response:
        given = await request.json()
        values = dict(given.get("requestFieldValues", {}))
        unknown = sorted(values.keys() - set(SD_FIELDS))
        _need(not unknown, 400, f"Field not valid for this request type: {unknown}")
        _need(bool(values.get("summary")), 400, "summary: Please provide a valid value")
        _need("CREATE_ISSUES" in self._site.permissions, 403, "You may not create requests here 没有权限")
        faults = text_errors(values, "3" if given.get("isAdfRequest") else "2")
        _need(not faults, 400, str(faults))
        reporter = {"accountId": given.get("raiseOnBehalfOf", "557058:allears")}
        issue = self._site.make("CMP", **values, reporter=reporter)
        shown = {"issueId": issue.id, "issueKey": issue.key, "requestTypeId": given["requestTypeId"]}
        return web.json_response({**shown, "serviceDeskId": given["serviceDeskId"]}, status=201)

    async def _comment(self, request: web.Request) -> web.Response:
        issue = self._site.find(request.match_info["key"])
        given = await request.json()
        comment = self._site.comment(issue, given["body"], is_public=given["public"])
        return web.json_response({"id": comment.id, "body": given["body"], "public": given["public"]}, status=201)

    async def _attach(self, request: web.Request) -> web.Response:
        issue = self._site.find(request.match_info["key"])
        wanted = (await request.json())["temporaryAttachmentIds"]
        missing = [one for one in wanted if one not in self.temporary]
        _need(not missing, 400, f"Temporary attachments not found: {missing}")
        issue.files.update(self.temporary.pop(one) for one in wanted)
        return web.json_response({"comment": {"id": "1"}}, status=201)


def _need(is_so: bool, status: int, text: str) -> None:
    if not is_so:
        raise Refusal(status, {"errorMessage": text, "i18nErrorMessage": {"i18nKey": "sd.error", "parameters": []}})
