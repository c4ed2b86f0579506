"""Whether the mapping fits the project: fields on the screen, their forms and values, rights, size of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from allears_sdk.connector import Identity
from allears_sdk.errors import ConfigError
from allears_sdk.tickets import FileLimits, StoreValue, answered, check_fields, check_values
from sink.jira.calls import BROWSE, Call, need
from sink.jira.settings import JiraSettings
from sink.jira.values import form_of, wanted_form

Field = Mapping[str, Any]
_OURS = frozenset({"project", "issuetype", "summary", "description", "labels", "priority", "reporter"})
_PAGE = 50


async def check_mapping(
    call: Call, settings: JiraSettings, priorities: Mapping[str, StoreValue], limits: FileLimits
) -> Identity:
    """Raises ConfigError with what to change."""
    name = str(answered(await call("GET", f"{settings.api}/myself"), "displayName"))
    await need(call, settings, *_rights(settings))
    screen = await (_request_form if settings.service_desk else _create_screen)(call, settings)
    check_fields(settings, screen.keys())
    _check_screen(settings, screen)
    for fact, target in settings.fields.items():
        _check_field(settings, fact, target, screen[target])
    if settings.priority and not settings.service_desk:
        for value in {**priorities, **settings.values.get("priority", {})}.values():
            check_values(settings, "priority", _allowed(screen["priority"]) or [value], value)
    await _check_size(call, settings, limits)
    where = f"request type {settings.request_type}" if settings.service_desk else settings.issue_type
    return Identity(account=name, details=(f"{settings.project}, {where}", f"{len(screen)} fields to fill"))


def _rights(settings: JiraSettings) -> list[str]:
    rights = [BROWSE, "CREATE_ISSUES", "ADD_COMMENTS"]
    rights += ["CREATE_ATTACHMENTS"] if settings.files.mode == "upload" else []
    return rights + (["EDIT_ISSUES"] if settings.service_desk and settings.label else [])


async def _create_screen(call: Call, settings: JiraSettings) -> dict[str, Field]:
    url = f"{settings.api}/issue/createmeta/{settings.project}/issuetypes"
    types = {str(one["name"]): str(one["id"]) for one in await _rows(call, url, "issueTypes")}
    if settings.issue_type not in types:
        raise ConfigError(f'issue_type = "{settings.issue_type}": the project has {", ".join(sorted(types))}')
    rows = await _rows(call, f"{url}/{types[settings.issue_type]}", "fields")
    return {str(one.get("fieldId") or one.get("key")): one for one in rows}


async def _rows(call: Call, url: str, name: str) -> list[Field]:
    """All pages; Data Center calls the rows `values`."""
    rows: list[Field] = []
    while True:
        answer = await call("GET", url, params={"startAt": len(rows), "maxResults": _PAGE})
        page = answered(answer)
        more: Sequence[Field] = page.get(name) or page.get("values") or ()
        rows += more
        if not more or len(rows) >= int(page.get("total", 0)):
            return rows


async def _request_form(call: Call, settings: JiraSettings) -> dict[str, Field]:
    url = f"{settings.url}/rest/servicedeskapi/servicedesk/{settings.service_desk}"
    project = answered(await call("GET", url), "projectKey")
    if project != settings.project:
        raise ConfigError(f"service_desk {settings.service_desk} belongs to the project {project}")
    answer = await call("GET", f"{url}/requesttype/{settings.request_type}/field")
    return {str(one["fieldId"]): one for one in answered(answer, "requestTypeFields")}


def _check_screen(settings: JiraSettings, screen: Mapping[str, Field]) -> None:
    filled = {*settings.fields.values(), *settings.constants}
    if not settings.service_desk:
        for name, is_wanted in (("priority", settings.priority), ("labels", settings.label)):
            if is_wanted and name not in screen:
                raise ConfigError(f"{name} is not on the create screen: put it there, or set {_SWITCH[name]} = false")
    missing = [name for name, field in screen.items() if _is_required(field) and name not in filled | _OURS]
    if missing:
        named = ", ".join(f"{name} ({screen[name].get('name')})" for name in missing)
        raise ConfigError(f"required, and nothing fills them: {named}; name them in `fields` or `constants`")


_SWITCH = {"priority": "priority", "labels": "label"}


def _is_required(field: Field) -> bool:
    return bool(field.get("required")) and not (field.get("hasDefaultValue") or field.get("defaultValues"))


def _check_field(settings: JiraSettings, fact: str, target: str, field: Field) -> None:
    schema = field.get("schema") or field.get("jiraSchema")
    form = form_of(target, settings.field_forms)
    wanted = wanted_form(schema, is_cloud=settings.is_cloud) if schema else form
    if wanted is None:
        raise ConfigError(
            f"fields.{fact}: {target} is of a kind that allears cannot fill; map it to another, or fix it"
        )
    if wanted != form:
        raise ConfigError(f'fields.{fact}: {target} wants field_forms.{target} = "{wanted}"')
    allowed = _allowed(field)
    for value in settings.values.get(fact, {}).values() if allowed else ():
        check_values(settings, fact, allowed, value)


def _allowed(field: Field) -> list[StoreValue]:
    """Empty: any."""
    rows = field.get("allowedValues") or ()
    named = [one.get("value", one.get("name")) for one in rows]
    return named or [one["label"] for one in field.get("validValues") or ()]


async def _check_size(call: Call, settings: JiraSettings, limits: FileLimits) -> None:
    if settings.files.mode != "upload":
        return
    meta = answered(await call("GET", f"{settings.api}/attachment/meta"))
    limit = int(meta.get("uploadLimit", 0)) if meta.get("enabled", True) else 0
    ours = limits.each_bytes if settings.files.max_mb is None else settings.files.max_mb * (1 << 20)
    if limit < ours:
        advice = f"files.max_mb = {limit / (1 << 20):g}" if limit else 'files.mode = "link"'
        raise ConfigError(f"Jira takes attachments up to {limit} bytes: set {advice}")
