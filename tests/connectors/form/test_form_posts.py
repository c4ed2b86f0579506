"""What is posted to a form: exact raws, the same answer twice, friendly refusals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from allears_sdk.connector import Accepted, Answer, Reception, Request
from allears_sdk.errors import BadMessage
from allears_sdk.message import MESSAGE_JSON, Message, Raw
from allears_sdk.testing import make_context
from connectors.form import FormConnector, FormSettings

NOW = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
REFERENCE = "ALE-7K3M-Q9TX-4RWD"
SUBMISSION = "Zk3vQ1x_-T7aB9cD0eF2gH"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def make_form(folder: Path, **settings: Any) -> FormConnector:
    return FormConnector(FormSettings(**settings), make_context("support", folder))


def post(body: bytes, content_type: str, *, path: str = "", lang: str = "", **headers: str) -> Request:
    return Request(
        method="POST",
        path=path,
        query=[("lang", lang)] if lang else [],
        headers=[("Content-Type", content_type), *((name.replace("_", "-"), value) for name, value in headers.items())],
        body=body,
        remote_address="192.0.2.7",
        received_at=NOW,
    )


def multipart(
    fields: dict[str, str], files: Sequence[tuple[str, bytes]] = (), boundary: str = "----WebKitFormBoundaryx1"
) -> Request:
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    parts += [
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'.encode()
        + b"Content-Type: image/jpeg\r\n\r\n"
        + content
        + b"\r\n"
        for name, content in files
    ]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return post(body, f"multipart/form-data; boundary={boundary}")


def answered(reception: Reception, *, is_new: bool = True) -> Answer:
    return reception.answer([Accepted(key=raw.key, is_new=is_new, reference=REFERENCE) for raw in reception.raws])


async def sent(form: FormConnector, request: Request) -> Raw:
    (raw,) = (await form.receive(request)).raws
    return raw


async def test_a_submitted_page_is_stored_as_it_came(folder: Path) -> None:
    request = multipart(
        {"submission": SUBMISSION, "text": "电饭煲用了两天就坏了😡，要求退款。", "phone": "13800138000"},
        [("照片 1.jpg", b"\xff\xd8\xff\xe0jpeg")],
    )
    reception = await make_form(folder).receive(request)
    (raw,) = reception.raws
    assert raw.body == request.body
    assert raw.media_type == "multipart/form-data; boundary=----WebKitFormBoundaryx1"
    assert raw.key == raw.thread == f"form:{SUBMISSION}"
    assert raw.received_at == NOW
    assert raw.context == {"page_language": "zh"}
    assert not reception.refused


@pytest.mark.parametrize(("lang", "words"), [("zh", "已经收到"), ("en", "Thank you")])
async def test_the_answer_carries_the_reference_and_is_the_same_again(folder: Path, lang: str, words: str) -> None:
    request = post(b"text=The+lid+broke.", "application/x-www-form-urlencoded", lang=lang)
    reception = await make_form(folder).receive(request)
    first, again = answered(reception), answered(reception, is_new=False)
    assert first.status == 200
    assert REFERENCE in first.body.decode()
    assert words in first.body.decode()
    assert first == again


async def test_a_double_click_is_one_raw_though_the_boundary_differs(folder: Path) -> None:
    form = make_form(folder)
    fields = {"submission": SUBMISSION, "text": "空调不制冷"}
    first = await sent(form, multipart(fields, [("a.jpg", b"1")], "x1"))
    second = await sent(form, multipart(fields, [("a.jpg", b"1")], "y2"))
    assert (first.key, first.digest) == (second.key, second.digest)


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"text": "空调不制冷，还漏水"}, b"1"),
        ({"text": "空调不制冷"}, b"2"),
        ({"text": "空调不制冷", "name": "李雷"}, b"1"),
    ],
)
async def test_going_back_and_changing_something_is_not_swallowed(
    folder: Path, fields: dict[str, str], content: bytes
) -> None:
    form = make_form(folder)
    first = await sent(form, multipart({"submission": SUBMISSION, "text": "空调不制冷"}, [("a.jpg", b"1")]))
    second = await sent(form, multipart({"submission": SUBMISSION, **fields}, [("a.jpg", content)]))
    assert first.key == second.key
    assert first.digest != second.digest


@pytest.mark.parametrize("submission", ["", "short", "a b c d e f g h i j k", "x" * 65, "../../../../etc/passwd"])
async def test_without_an_id_of_ours_the_content_is_the_key(folder: Path, submission: str) -> None:
    form = make_form(folder)
    request = multipart({"submission": submission, "text": "Late again."})
    first, again = await sent(form, request), await sent(form, request)
    assert first.key == again.key == f"form:{first.digest}"


async def test_a_trapped_bot_is_stored_marked_and_thanked(folder: Path) -> None:
    form = make_form(folder)
    reception = await form.receive(multipart({"text": "cheap pills", "fax_extension": "1"}))
    assert reception.raws[0].context["honeypot"] is True
    assert not reception.refused
    assert REFERENCE in answered(reception).body.decode()


@pytest.mark.parametrize(
    ("fields", "lang", "said"),
    [
        ({"text": " \r\n "}, "zh", "请写下发生了什么"),
        ({"text": ""}, "en", "Please tell us what happened"),
        ({}, "en", "Please tell us what happened"),
        ({"text": "慢" * 101}, "zh", "“发生了什么？”最多 100 个字，现在有 101 个"),
        ({"text": "slow", "name": "n" * 301}, "en", "“Name” can have 300 characters; there are 301"),
    ],
)
async def test_what_cannot_be_taken_comes_back_with_everything_typed(
    folder: Path, fields: dict[str, str], lang: str, said: str
) -> None:
    request = multipart({"submission": SUBMISSION, "order": "SO-778899", **fields})
    request = post(request.body, request.header("content-type"), lang=lang)
    reception = await make_form(folder, max_text_chars=100).receive(request)
    answer = answered(reception)
    page = answer.body.decode()
    assert not reception.raws
    assert reception.refused
    assert answer.status == 400
    assert said in page
    assert "SO-778899" in page
    assert SUBMISSION in page
    assert fields.get("name", "") in page


async def test_line_breaks_count_as_the_browser_counts_them(folder: Path) -> None:
    reception = await make_form(folder, max_text_chars=100).receive(multipart({"text": "\r\n".join(["abcd"] * 20)}))
    assert reception.raws


async def test_too_many_files_are_turned_back(folder: Path) -> None:
    request = multipart({"text": "见附件"}, [(f"{number}.jpg", b"x") for number in range(3)])
    reception = await make_form(folder, max_files=2).receive(request)
    assert "最多可以附 2 个文件，现在有 3 个" in answered(reception).body.decode()


async def test_an_empty_file_field_is_no_file(folder: Path) -> None:
    assert (await make_form(folder, max_files=0).receive(multipart({"text": "见附件"}, [("", b"")]))).raws


@pytest.mark.parametrize(
    "request_",
    [
        post(b"", "multipart/form-data"),
        post(b"no parts at all", "multipart/form-data; boundary=x"),
        post(b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\ncut off', "multipart/form-data; boundary=x"),
        post(b"\xff\xff=%FF%FF", "application/x-www-form-urlencoded"),
        multipart({f"field{number}": "x" for number in range(500)}),
    ],
)
async def test_a_broken_form_is_said_to_be_broken(folder: Path, request_: Request) -> None:
    reception = await make_form(folder).receive(request_)
    answer = answered(reception)
    assert (reception.raws, answer.status) == ((), 400)
    assert "内容没有完整传到" in answer.body.decode()


async def test_html_in_fields_stays_text(folder: Path) -> None:
    hostile = '"><script>alert(1)</script>'
    reception = await make_form(folder).receive(multipart({"text": "", "name": hostile, "product": "</textarea>"}))
    page = answered(reception).body.decode()
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page


async def test_nothing_sent_reaches_the_answers_headers(folder: Path) -> None:
    request = multipart({"text": "x", "name": "a\r\nSet-Cookie: b=c", "submission": "x\r\nSet-Cookie: b=c"})
    answer = answered(await make_form(folder).receive(request))
    assert "Set-Cookie" not in "".join(f"{name}{value}" for name, value in answer.headers.items())


async def test_url_encoded_gb18030_is_read_in_the_worker(folder: Path) -> None:
    from urllib.parse import urlencode

    body = urlencode({"text": "门店态度差", "name": "韩梅梅", "wechat": "hmm_88"}, encoding="gb18030").encode()
    raw = await sent(make_form(folder), post(body, "application/x-www-form-urlencoded"))
    (message,) = FormConnector.parse(raw, FormSettings())
    assert message.text == "门店态度差"
    assert (message.author.name, message.author.handle) == ("韩梅梅", "hmm_88")
    assert message.posted_at == NOW
    with pytest.raises(BadMessage):
        FormConnector.parse(Raw(key="k", body=b"text=", media_type=raw.media_type, received_at=NOW), FormSettings())


async def test_an_app_that_asks_for_json_gets_json(folder: Path) -> None:
    request = multipart({"text": "坏了"})
    request = post(request.body, request.header("content-type"), Accept="application/json")
    assert json.loads(answered(await make_form(folder).receive(request)).body)["reference"] == REFERENCE


# The JSON twin


def said(text: str = "快递三天没动静", **fields: Any) -> bytes:
    return json.dumps({"text": text, **fields}, ensure_ascii=False).encode()


async def test_a_json_message_is_stored_as_it_came(folder: Path) -> None:
    body = said(order="SO-1", author={"name": "李雷"})
    reception = await make_form(folder).receive(post(body, "application/json; charset=utf-8"))
    (raw,) = reception.raws
    assert (raw.body, raw.media_type) == (body, MESSAGE_JSON)
    assert raw.key == raw.thread == f"sha256:{raw.digest}"
    answer = answered(reception)
    assert (answer.status, answer.media_type) == (201, "application/json")
    assert json.loads(answer.body) == {"reference": REFERENCE, "status": "accepted"}
    again = answered(reception, is_new=False)
    assert (again.status, json.loads(again.body)) == (200, {"reference": REFERENCE, "status": "already_known"})


@pytest.mark.parametrize(
    ("fields", "headers", "key", "thread"),
    [
        ({"external_id": "T-1"}, {}, "T-1", "T-1"),
        ({}, {"Idempotency_Key": "abc"}, "id:abc", "id:abc"),
        ({"external_id": "T-1"}, {"Idempotency_Key": "abc"}, "T-1", "T-1"),
        ({"external_id": "T-2", "thread": "T-1"}, {}, "T-2", "T-1"),
        ({"external_id": "T-3", "thread": ["T-2", "T-1"]}, {}, "T-3", "T-1"),
    ],
)
async def test_json_keys(folder: Path, fields: dict[str, Any], headers: dict[str, str], key: str, thread: str) -> None:
    raw = await sent(make_form(folder), post(said(**fields), "application/json", **headers))
    assert (raw.key, raw.thread) == (key, thread)


async def test_every_key_of_a_message_is_taken_and_a_mistyped_one_named(folder: Path) -> None:
    keys = json.dumps({field.name: None for field in fields(Message)} | {"channel": "shop", "text": "杯子漏水"})
    raw = await sent(make_form(folder), post(keys.encode(), "application/json"))
    assert raw.media_type == MESSAGE_JSON
    refused = answered(await make_form(folder).receive(post(said(e_mail="li@example.com"), "application/json")))
    assert (refused.status, "`e_mail`" in json.loads(refused.body)["detail"]) == (400, True)


async def test_the_same_key_with_other_words_is_a_correction_not_a_repeat(folder: Path) -> None:
    form = make_form(folder)
    first = await sent(form, post(said("坏了", external_id="T-1"), "application/json"))
    second = await sent(form, post(said("坏了，已退货", external_id="T-1"), "application/json"))
    assert first.key == second.key
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"{}", 400),
        (b'{"text": 1}', 400),
        (b'{"text": " \\n "}', 400),
        (b'{"text": "\xff\xfe"}', 400),
        (said("x" * 20_001), 400),
        (said(external_id="x" * 201), 400),
        (said(contact="13800138000"), 400),
        (b" " * (1 << 20) + said(), 413),
    ],
)
async def test_a_bad_json_post_says_why_as_problem_details(folder: Path, body: bytes, status: int) -> None:
    reception = await make_form(folder).receive(post(body, "application/json"))
    answer = answered(reception)
    assert (reception.raws, answer.status) == ((), status)
    assert answer.media_type == "application/problem+json"
    problem = json.loads(answer.body)
    assert problem["status"] == status
    assert problem["detail"]


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Bearer ", "s3cret-Token"])
async def test_a_token_is_asked_of_json_posts_only(folder: Path, authorization: str | None) -> None:
    form = make_form(folder, token="s3cret-Token")
    headers = {"Authorization": authorization} if authorization is not None else {}
    refused = await form.receive(post(said(), "application/json", **headers))
    assert (refused.raws, answered(refused).status) == ((), 401)
    assert "s3cret-Token" not in answered(refused).body.decode()
    assert (await form.receive(post(said(), "application/json", Authorization="Bearer s3cret-Token"))).raws
    assert (await form.receive(multipart({"text": "坏了"}))).raws


@pytest.mark.parametrize(
    ("method", "path", "content_type", "status"),
    [
        ("POST", "", "text/plain", 415),
        ("POST", "", "", 415),
        ("POST", "/poster", "application/json", 405),
        ("DELETE", "", "", 405),
        ("GET", "/../etc/passwd", "", 404),
    ],
)
async def test_other_requests(folder: Path, method: str, path: str, content_type: str, status: int) -> None:
    request = Request(
        method=method,
        path=path,
        query=(),
        headers=[("Content-Type", content_type)],
        body=said(),
        remote_address="192.0.2.7",
        received_at=NOW,
    )
    reception = await make_form(folder).receive(request)
    answer = answered(reception)
    assert (reception.raws, answer.status) == ((), status)
    assert (status == 405) == ("Allow" in answer.headers)


async def test_only_named_sites_may_post_from_their_pages(folder: Path) -> None:
    form = make_form(folder, allowed_origins=("https://shop.example.com",))
    ours = answered(await form.receive(post(said(), "application/json", Origin="https://shop.example.com")))
    theirs = answered(await form.receive(post(said(), "application/json", Origin="https://evil.example")))
    assert ours.headers["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert "Access-Control-Allow-Origin" not in theirs.headers
