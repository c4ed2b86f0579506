"""What every admin request passes: Host, credentials, same origin; and the headers every answer carries."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from allears.http.admin_answer import failure, prefers_json
from allears.http.admin_state import WHO, note_reveal, state_of, wants_contacts

OPEN_PATHS = ("/healthz", "/readyz", "/login", "/static/", "/language/")
"""Without credentials; /readyz then says how it is, not why."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SAFE = ("GET", "HEAD")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal handler. What an answer says itself stands (downloads are sandboxed, static files may be kept)."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.pop("Server", None)


def guard_host(allowed: Collection[str]) -> Middleware:
    """Refuses names that are not ours, so that a stranger's domain pointed at 127.0.0.1 reads nothing."""
    names = frozenset(name.lower().strip("[]").rstrip(".") for name in allowed if name)

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        if is_our_host(request.headers.get("Host", ""), names):
            return await handler(request)
        text = "This name is not the admin server's. Use 127.0.0.1 or the configured host.\n"
        return web.Response(status=421, text=text)

    return check


def is_our_host(header: str, names: Collection[str]) -> bool:
    """Loopback by name or address, or a configured name. Bound to every address, any address will do: only
    names can be pointed somewhere else."""
    try:
        host = (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return False
    if host in names or host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or bool({"0.0.0.0", "::"} & set(names))  # noqa: S104 - compared, not bound


@web.middleware
async def guard_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Credentials for everything but the open paths; too many wrong ones from an address, and it waits."""
    who, wait = state_of(request).access.admit(request)
    request[WHO] = who
    if request.path.startswith(OPEN_PATHS):
        return await handler(request)
    if wait:
        return await failure(request, 429, "too_many", seconds=wait)
    if not who:
        return await _ask(request)
    if wants_contacts(request):
        note_reveal(request)
    return await handler(request)


async def _ask(request: web.Request) -> web.StreamResponse:
    """Send a person to the login page, tell a program what is missing."""
    credentials = state_of(request).access.credentials
    is_page = request.method in _SAFE and not prefers_json(request)
    if is_page and credentials.token and "Authorization" not in request.headers:
        raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
    scheme = "Bearer" if credentials.token else 'Basic realm="allears", charset="UTF-8"'
    answer = web.json_response({"error": "credentials are missing or wrong"}, status=401)
    answer.headers["WWW-Authenticate"] = scheme
    return answer


@web.middleware
async def guard_origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A change must come from our own page, or from a program that no other site can drive."""
    if request.method in _SAFE or await _may_change(request):
        return await handler(request)
    return await failure(request, 403, "forbidden")


async def _may_change(request: web.Request) -> bool:
    if not is_same_origin(request):
        return False
    access = state_of(request).access
    if request.path.startswith("/api/"):
        # Another site can send a form with our cookies, but never this type without asking first.
        return request.content_type == "application/json" or request[WHO] == "token"
    form = await request.post()
    return access.knows_csrf(request, str(form.get("csrf", "")))


def is_same_origin(request: web.Request) -> bool:
    """By `Origin` and `Sec-Fetch-Site`; a program that is no browser sends neither."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    if site not in ("same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("Host", "").lower()
