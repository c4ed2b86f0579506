"""One object for each event, in a folder of its complaint.

An object's name is the event's key, and it is only ever created: sent again, it is there already.
Sources: Amazon S3 API Reference, "PutObject" (`If-None-Match`), "ListObjectsV2"; tried on moto's server.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from allears_sdk.codec import decode
from allears_sdk.complaint import AttachedFile, Event
from allears_sdk.connector import Identity
from allears_sdk.errors import AllearsError, ConfigError, InDoubt, Rejected, Unavailable
from allears_sdk.sink import Certainty, Progress, Sink, SinkSpec, Ticket
from allears_sdk.tickets.files import FileLimits, sort_files
from allears_sdk.tickets.sink import NOBODYS_KEY
from allears_sdk.tickets.uploads import upload_each
from allears_sdk.tickets.view import files_of
from sink._brokers import extra
from sink._cloudevents import MEDIA_TYPE, make_body, read_head, source_of
from sink.s3.answers import is_denied, is_there, named
from sink.s3.settings import S3Settings

if TYPE_CHECKING:
    from obstore.store import S3Credential, S3Store

T = TypeVar("T")

REFERENCE_CHARS = len("ALE-XXXX-XXXX-XXXX")
WITNESS = "asked"
LIMITS = FileLimits(each_bytes=64 << 20, total_bytes=256 << 20, count=100)


class _Complaint(msgspec.Struct, frozen=True):
    attachments: tuple[AttachedFile, ...] = ()


class _Data(msgspec.Struct, frozen=True):
    complaint: _Complaint
    files: dict[str, str] = {}


class _Body(msgspec.Struct, frozen=True):
    data: _Data


class S3Sink(Sink[S3Settings]):
    """Never an event twice: its object has one name."""

    spec = SinkSpec(
        kind="s3",
        title_en="S3 object storage",
        title_zh="S3 对象存储",
        open_certainty=Certainty.A,
        follow_up_certainty=Certainty.A,
        is_stream=True,
        looks_up=True,
        verified="moto's S3 server 5.2; no Amazon S3, MinIO, OSS or COS",
        verified_zh="moto 5.2 的 S3 服务器；未在 Amazon S3、MinIO、OSS 和 COS 上试过",
    )
    Settings = S3Settings

    async def start(self) -> None:
        with extra("s3"):
            import obstore  # noqa: F401 only asked for

    async def check(self) -> Identity:
        """Looks for a complaint that nobody has."""
        details: tuple[str, ...] = ()
        try:
            await self._names(self._folder(NOBODYS_KEY[:REFERENCE_CHARS]))
        except AllearsError as error:
            if not is_denied(error):
                raise
            details = ("the access key may not list, so only its name was checked; after a restore it must",)
        place = self.settings.endpoint_url or f"Amazon S3, {self.settings.region}"
        return Identity(account=f"{self.settings.bucket}/{self.settings.prefix} at {place}", details=details)

    def render(self, event: Event, key: str) -> bytes:
        settings, record = self.settings, event.record
        link = partial(self._link, event)
        made = sort_files(files_of(event), settings.files, LIMITS, record.id, link)
        files = {file.sha256: self._file_name(record.id, file.sha256) for file in made.fit}
        files |= {left.file.sha256: left.link for left in made.left if left.link}
        source = source_of(settings.source, self.context.name)
        return make_body(event, key, source=source, max_bytes=settings.max_body_bytes, files=files)

    async def open(self, payload: bytes, key: str, progress: Progress) -> Ticket:
        read_head(payload)
        await self._put(self._name(key), payload, MEDIA_TYPE)
        return Ticket(id=key)

    async def follow_up(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        await self.open(payload, key, progress)

    async def complete(self, ticket: Ticket, payload: bytes, key: str, progress: Progress) -> None:
        """An object with a file's SHA-256 for a name is that file, or not there."""
        reference = key[:REFERENCE_CHARS]
        ours = self._files_in(payload, reference)
        if ours:
            there = await self._names(f"{self._folder(reference)}files/")
            missing = [file for file in ours if self._file_name(reference, file.sha256) not in there]
            await upload_each(missing, partial(self._upload, reference), self.context.log)

    async def find(self, key: str) -> Ticket | None:
        return Ticket(id=key) if await self._there([key]) else None

    async def find_follow_ups(self, ticket: Ticket, marks: Collection[str]) -> Collection[str]:
        return await self._there(marks)

    async def _there(self, marks: Collection[str]) -> Collection[str]:
        """Which of these the events of their complaint tell of. A "no" must be sure: it makes an event anew."""
        wanted = set(marks)
        if not wanted:
            return wanted
        reference = min(wanted)[:REFERENCE_CHARS]
        found = await self._told(reference, wanted)
        return found if found == wanted else await self._told(reference, wanted, is_sure=True)

    async def _told(self, reference: str, wanted: Collection[str], *, is_sure: bool = False) -> Collection[str]:
        names = await (self._surely_there(reference) if is_sure else self._names(self._folder(reference)))
        found = set[str]()
        for name in self._events_in(names, reference):
            found |= set(await self._marks_of(name)).intersection(wanted)
            if found == set(wanted):
                break
        return found

    async def _surely_there(self, reference: str) -> Collection[str]:
        """To obstore a page that is no list at all is one without entries: this one must show what was just written."""
        witness = f"{self._folder(reference)}{WITNESS}"
        await self._put(witness, b"", "application/octet-stream")
        names = await self._names(self._folder(reference))
        if witness not in names:
            raise Unavailable("the bucket's list does not show what was written a moment ago")
        return names

    def _events_in(self, names: Collection[str], reference: str) -> list[str]:
        """What others may have put there is not named like them."""
        begin = f"{self._folder(reference)}{reference}"
        return sorted(name for name in names if name.startswith(begin) and name.endswith(".json"))

    # The bucket

    async def _put(self, name: str, content: bytes, media_type: str) -> None:
        store = self._store
        from obstore import put_async

        mode: Literal["create", "overwrite"] = "create" if self.settings.create_only else "overwrite"
        attributes = {"Content-Type": media_type}
        try:
            await put_async(store, name, content, attributes=attributes, mode=mode, use_multipart=False)
        except Exception as error:  # the library's errors have no common class of their own; `named` sorts them
            if not is_there(error):
                raise named(error) from None

    async def _marks_of(self, name: str) -> Collection[str]:
        """What cannot be read here is no event of ours, or a look that failed: who goes on would tell it again."""
        try:
            return read_head(await self._get(name)).marks
        except Rejected as error:
            raise Unavailable(f"{name}: {error}") from None

    async def _names(self, folder: str) -> Collection[str]:
        store = self._store
        from obstore import list_with_delimiter_async

        listed = await self._read(list_with_delimiter_async(store, folder))
        return {one["path"] for one in listed["objects"]}

    async def _get(self, name: str) -> bytes:
        from obstore import get_async

        answer = await self._read(get_async(self._store, name))
        return bytes(await self._read(answer.bytes_async()))

    async def _read(self, call: Awaitable[T]) -> T:
        """What only looks leaves no doubt."""
        try:
            return await call
        except Exception as error:  # as in `_put`
            why = named(error)
            raise (Unavailable(str(why), detail=why.detail) if isinstance(why, InDoubt) else why) from None

    async def _upload(self, reference: str, file: AttachedFile) -> None:
        content = await self.context.files.read(reference, file)
        await self._put(self._file_name(reference, file.sha256), content, file.media_type)

    @cached_property
    def _store(self) -> S3Store:
        with extra("s3"):
            from obstore.store import S3Store
        settings = self.settings
        options: dict[str, Any] = {
            "timeout": timedelta(seconds=settings.timeout_seconds),
            "connect_timeout": timedelta(seconds=settings.timeout_seconds / 2),
            "allow_http": settings.endpoint_url.startswith("http:"),
        }
        if settings.ca_file:
            options["root_certificate"] = self._certificates()
        more: dict[str, Any] = {"endpoint": settings.endpoint} if settings.endpoint else {}
        if settings.access_key_id:
            more["credential_provider"] = self._credentials
        try:
            return S3Store(
                settings.bucket,
                region=settings.region,
                virtual_hosted_style_request=not settings.path_style,
                client_options=options,  # type: ignore[arg-type]  # built up step by step
                retry_config={"max_retries": 0, "retry_timeout": timedelta(seconds=settings.timeout_seconds)},
                **more,
            )
        except Exception as error:  # whatever it is, these settings made it
            raise ConfigError("the settings cannot work: is ca_file PEM?", detail=str(error)[:300]) from None

    def _credentials(self) -> S3Credential:
        """These alone: a token in the environment belongs to another key."""
        settings = self.settings
        secret = settings.secret_access_key.get_secret_value() if settings.secret_access_key else ""
        return {
            "access_key_id": settings.access_key_id,
            "secret_access_key": secret,
            "token": None,
            "expires_at": None,
        }

    def _certificates(self) -> bytes:
        try:
            return self.settings.ca_file.read_bytes() if self.settings.ca_file else b""
        except OSError as error:
            raise ConfigError(f"ca_file: {error}") from None

    # Names

    def _folder(self, reference: str) -> str:
        return f"{self.settings.prefix}/{reference}/".removeprefix("/")

    def _name(self, key: str) -> str:
        return f"{self._folder(key[:REFERENCE_CHARS])}{key}.json"

    def _file_name(self, reference: str, sha256: str) -> str:
        return f"{self._folder(reference)}files/{sha256}"

    def _link(self, event: Event, complaint_id: str, file: AttachedFile, within: timedelta) -> str:
        return self.context.files.link(complaint_id, file, event.at + within)

    def _files_in(self, payload: bytes, reference: str) -> Sequence[AttachedFile]:
        """Those that a frozen body says are in the bucket; a shortened one names some by their SHA-256 alone."""
        data = decode(payload, _Body).data
        known = {file.sha256: file for file in data.complaint.attachments}
        unknown = AttachedFile(name="", media_type="application/octet-stream", size=0)
        return [
            known.get(sha256) or replace(unknown, sha256=sha256)
            for sha256, place in data.files.items()
            if place == self._file_name(reference, sha256)
        ]
