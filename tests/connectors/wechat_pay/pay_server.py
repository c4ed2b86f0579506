"""WeChat Pay in miniature: complaints of one merchant, over real HTTP, signed both ways.

"查询投诉单列表", "查询投诉单详情", "查询投诉单协商历史", "图片请求接口", "获取平台证书列表". Signatures are made by the
client library wechatpayv3, so that our own cryptography is not its own judge.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from wechatpayv3 import utils

from allears_sdk.connector import Request
from allears_sdk.testing.clock import START

MCHID = "1900000001"
SERIAL = "1DDE55AD98ED71D6EDD4A4A16996DE7B47773A8C"
API_V3_KEY = "AllEarsApiV3Key0123456789abcdefg"
PUBLIC_KEY_ID = "PUB_KEY_ID_0119000000012026010100000000000001"
PATH = "/v3/merchant-service/complaints-v2"
SCHEME = "WECHATPAY2-SHA256-RSA2048"
BEIJING = timezone(timedelta(hours=8))
PICTURE = b"\x89PNG\r\n\x1a\n a photo of a broken screen"

Spoiler = Callable[[web.Request], web.Response | None]


@lru_cache
def rsa_key(name: str) -> rsa.RSAPrivateKey:
    """One key per name and test run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(name: str) -> str:
    key = rsa_key(name)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    return pem.decode()


def public_pem(name: str) -> str:
    key = rsa_key(name).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@lru_cache
def certificate(name: str, serial: int) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com sign")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(rsa_key(name).public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .sign(rsa_key(name), hashes.SHA256())
    )


def seal(plain: bytes, associated_data: str, nonce: str = "AllEarsNonce") -> dict[str, str]:
    sealed = AESGCM(API_V3_KEY.encode()).encrypt(nonce.encode(), plain, associated_data.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": base64.b64encode(sealed).decode(),
        "nonce": nonce,
        "associated_data": associated_data,
    }


@dataclass(frozen=True)
class Signer:
    """A key of WeChat Pay's: a platform certificate or the public key."""

    name: str
    serial: str

    def headers(self, body: bytes, now: datetime) -> dict[str, str]:
        timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
        text = b"\n".join([timestamp.encode(), nonce.encode(), body, b""])
        return {
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Serial": self.serial,
            "Wechatpay-Signature": utils.rsa_sign(rsa_key(self.name), text.decode()),
            "Wechatpay-Signature-Type": SCHEME,
        }


PLATFORM = Signer("platform", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1")
NEXT_PLATFORM = Signer("next-platform", "0AF91C8E28D0B2A7315E1A4F1A2B3C4D5E6F7A8B")
PUBLIC_KEY = Signer("public-key", PUBLIC_KEY_ID)


@dataclass
class PayServer:
    now: Callable[[], datetime] = lambda: START
    complaints: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notification_url: str = ""
    signer: Signer = PLATFORM
    certificates: list[Signer] = field(default_factory=lambda: [PLATFORM])
    spoilers: list[Spoiler] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    pictures: dict[str, bytes] = field(default_factory=dict)
    most_history: int = 130
    most_rows: int = 50
    url: str = ""

    # What people do

    def complain(self, detail: Any, **more: Any) -> str:
        number = len(self.complaints) + 1
        complaint = f"2000000202611220000000{number:05d}"
        at = more.pop("at", self.now() - timedelta(minutes=5))
        self.complaints[complaint] = {
            "complaint_id": complaint,
            "complaint_time": at.astimezone(BEIJING).isoformat(timespec="milliseconds"),
            "complaint_detail": detail,
            "complaint_state": "PENDING",
            "payer_phone": self._phone("13800138000"),
            "complaint_order_info": [
                {
                    "transaction_id": f"42000018372026112{number:010d}",
                    "out_trade_no": f"TB2026{number:06d}",
                    "amount": 29900,
                }
            ],
            "service_order_info": [],
            "complaint_full_refunded": False,
            "incoming_user_response": True,
            "problem_description": "商品质量问题",
            "problem_type": "REFUND",
            "apply_refund_amount": 29900,
            "user_complaint_times": 1,
            "user_tag_list": ["TRUSTED"],
            **more,
        }
        self.history[complaint] = []
        self.act(complaint, "USER_CREATE_COMPLAINT", str(detail), operator="投诉人")
        return complaint

    def act(self, complaint: str, kind: str, details: str, **more: Any) -> str:
        steps = self.history[complaint]
        log = f"3002853202611220000{len(steps) + 1:05d}{complaint[-3:]}"
        at = self.now().astimezone(BEIJING).isoformat(timespec="milliseconds")
        steps.insert(0, {"log_id": log, "operator": "商户", "operate_time": at, "operate_type": kind,
                         "operate_details": details, "image_list": [], **more})  # fmt: skip
        return log

    def notice(self, complaint: str, action: str = "CREATE_COMPLAINT", event: str = "COMPLAINT.CREATE") -> bytes:
        plain = json.dumps({"complaint_id": complaint, "action_type": action}).encode()
        resource = seal(plain, "complaint") | {"original_type": "complaint"}
        notice = {
            "id": f"EV-{complaint}",
            "create_time": "2026-11-22T12:00:00+08:00",
            "event_type": event,
            "resource_type": "encrypt-resource",
            "summary": "投诉通知",
            "resource": resource,
        }
        return json.dumps(notice, ensure_ascii=False).encode()

    def push(self, body: bytes, signer: Signer | None = None, *, at: datetime | None = None) -> Request:
        headers = (signer or self.signer).headers(body, at or self.now())
        return Request(
            method="POST",
            path="",
            query=(),
            headers=(("content-type", "application/json"), *((name.lower(), value) for name, value in headers.items())),
            body=body,
            remote_address="101.226.103.62",
            received_at=self.now(),
        )

    def _phone(self, number: str) -> str:
        return str(utils.rsa_encrypt(number, rsa_key("merchant").public_key()))

    # What it answers

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls.append(f"{request.method} {request.path_qs}")
        body = await request.read()
        if not self._is_signed(request, body):
            return _fault(401, "SIGN_ERROR", "签名错误，请检查后再试")
        for spoiler in self.spoilers:
            spoilt = spoiler(request)
            if spoilt is not None:
                return spoilt
        path = request.raw_path.partition("?")[0]
        if path.startswith("/v3/merchant-service/images/"):
            return self._picture(path.rpartition("/")[2])
        answer = self._route(request, path, body)
        if isinstance(answer, web.Response):
            return answer
        said = b"" if answer is None else json.dumps(answer, ensure_ascii=False).encode()
        headers = self._signer_for(request).headers(said, self.now())
        return web.Response(body=said, status=200 if said else 204, headers=headers, content_type="application/json")

    def _is_signed(self, request: web.Request, body: bytes) -> bool:
        scheme, _, said = request.headers.get("Authorization", "").partition(" ")
        given = dict(part.split("=", 1) for part in said.split(",")) if said else {}
        fields = {name: value.strip('"') for name, value in given.items()}
        if scheme != SCHEME or (fields.get("mchid"), fields.get("serial_no")) != (MCHID, SERIAL):
            return False
        assert request.headers.get("User-Agent"), "WeChat Pay refuses requests without a User-Agent"
        parts = [request.method, request.raw_path, fields["timestamp"], fields["nonce_str"], body.decode()]
        text = "".join(f"{part}\n" for part in parts).encode()
        try:
            signature = base64.b64decode(fields["signature"])
            rsa_key("merchant").public_key().verify(signature, text, PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _signer_for(self, request: web.Request) -> Signer:
        return PUBLIC_KEY if request.headers.get("Wechatpay-Serial") == PUBLIC_KEY_ID else self.signer

    def _route(self, request: web.Request, path: str, body: bytes) -> Any:
        if path == "/v3/certificates":
            return self._certificates()
        if path == "/v3/merchant-service/complaint-notifications":
            return self._notifications(request.method, body)
        if path == PATH:
            return self._list(request)
        complaint, _, what = path.removeprefix(f"{PATH}/").partition("/")
        if complaint not in self.complaints:
            return _fault(404, "RESOURCE_NOT_EXISTS", "投诉单不存在")
        if what == "negotiation-historys":
            return self._history(request, complaint)
        if what == "response":
            self.responses.append({"complaint_id": complaint, **json.loads(body)})
            return None
        return {
            **self.complaints[complaint],
            "complainted_mchid": MCHID,
            "payer_openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        }

    def _certificates(self) -> Any:
        if not self.certificates:
            return _fault(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
        listed = []
        for one in self.certificates:
            pem = certificate(one.name, int(one.serial, 16)).public_bytes(serialization.Encoding.PEM)
            listed.append({"serial_no": one.serial, "effective_time": "2020-01-01T08:00:00+08:00",
                           "expire_time": "2040-01-01T08:00:00+08:00",
                           "encrypt_certificate": seal(pem, "certificate")})  # fmt: skip
        return {"data": listed}

    def _notifications(self, method: str, body: bytes) -> Any:
        if method == "GET" and not self.notification_url:
            return _fault(404, "RESOURCE_NOT_EXISTS", "通知地址不存在")
        if method == "POST" and self.notification_url:
            return _fault(400, "INVALID_REQUEST", "通知地址已存在")
        if method in ("POST", "PUT"):
            self.notification_url = json.loads(body)["url"]
        return {"mchid": MCHID, "url": self.notification_url}

    def _list(self, request: web.Request) -> Any:
        query = request.query
        try:
            begin, end = (datetime.fromisoformat(query[name]).date() for name in ("begin_date", "end_date"))
            limit, offset = int(query["limit"]), int(query["offset"])
        except (KeyError, ValueError):
            return _fault(400, "PARAM_ERROR", "参数错误")
        if not 1 <= limit <= 50 or (end - begin).days >= 30 or end < begin:
            return _fault(400, "PARAM_ERROR", "查询日期跨度不超过30天")
        if limit > self.most_rows:
            return _fault(400, "INVALID_REQUEST", "当前查询结果数据量过大")
        found = [one for one in self.complaints.values() if begin <= _day(one) <= end]
        page = found[::-1][offset : offset + limit]  # the newest first: what comes in shifts the pages
        answer: dict[str, Any] = {"limit": limit, "offset": offset}
        answer |= {"data": page} if page else {}
        return answer | ({"total_count": len(found)} if not offset else {})

    def _history(self, request: web.Request, complaint: str) -> Any:
        limit, offset = int(request.query["limit"]), int(request.query["offset"])
        if limit > self.most_history:
            return _fault(400, "INVALID_REQUEST", "当前查询结果数据量过大，请缩小limit并重试")
        steps = self.history[complaint]
        answer = {"data": steps[offset : offset + limit], "limit": limit, "offset": offset}
        return answer | ({"total_count": len(steps)} if not offset else {})

    def _picture(self, name: str) -> web.Response:
        if name not in self.pictures:
            return _fault(400, "PARAM_ERROR", "图片不存在")
        return web.Response(body=self.pictures[name], content_type="image/png")  # without a signature, as documented


def _day(complaint: dict[str, Any]) -> Any:
    try:
        return datetime.fromisoformat(complaint["complaint_time"]).date()
    except ValueError:
        return START.astimezone(BEIJING).date()


def _fault(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message}, status=status)
