"""Signatures, envelopes and messages that were made by other programs than ours; the credentials are made up."""

from __future__ import annotations

from datetime import UTC, datetime

TOKEN = "AllEarsTok3n"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
AES_KEY_HEX = "69b71d79f8218a39259a7a29aabb2dbafc31cb3d35db7e39ebbf3d0010831051"
APP_ID = "wx1234567890abcdef"
CORP_ID = "ww1234567890abcdef"
TIMESTAMP = "1767225600"
NONCE = "1320562132"
RANDOM = b"0123456789abcdef"
AT = datetime(2026, 1, 1, tzinfo=UTC)
PLAIN_SIGNATURE = "a84563fc18a289f4f3ae90509d66641d45ade87f"

TEXT_XML = (
    "<xml><ToUserName><![CDATA[gh_0a1b2c3d4e5f]]></ToUserName><FromUserName><![CDATA[oABCD1234efgh5678ijkl]]>"
    "</FromUserName><CreateTime>1767225600</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[我要投诉]]>"
    "</Content><MsgId>24681357908642135</MsgId></xml>"
)
TEXT_SEALED = (
    "Q3stYC6hdFzMh9T8HCvyDEyyIo7SrfCU7qIY00FhmKzxLhwDU4yRHtC29SoooV3tx7okhC5npvHDSKQvQM1w/V95xgY8LIJrOvztMGRxcT0MbRYk"
    "nA26pTDuM5F2x5yHfG8n3KjmiU7xA5AVKq7RPQUU0ApqOPoB9dfEe2M+Uw0yxG1dFv/mLDAUGxK36CCXhhN0hQzSpy6H3g5GmAyaKATiOzJiVAp7"
    "q8TEo8k7pvlCFjwRPQU2OJuHF3Zi1Aj8cuXeVLdokAyqKiAuEFsoGTFpmaV83V6bStNLHPm6NUo4phH3UZCG348LhjiMsypQ9Z2/Pj0HlVPksDaI"
    "ngFg6hZautrSFkJZVb4INW42uZvTSqOSTepTc1Nkvhtb+B9LOUuVOiI+1fVtO/v8Ge1OrvfW34ynEWmNQLXi/M4AYmU="
)
TEXT_SIGNATURE = "0a088942c8a5f6ba37540d32eb170ecba186c9d5"

KF_XML = (
    "<xml><ToUserName><![CDATA[ww1234567890abcdef]]></ToUserName><CreateTime>1767225600</CreateTime><MsgType>"
    "<![CDATA[event]]></MsgType><Event><![CDATA[kf_msg_or_event]]></Event><Token><![CDATA[ENC123]]></Token><OpenKfId>"
    "<![CDATA[wk0001]]></OpenKfId></xml>"
)
KF_SEALED = (
    "Q3stYC6hdFzMh9T8HCvyDKKc1/GJHAYkM+9pueI8UELXDbaMrTtcdRzUJOJJanPVtlIFTxI7/j5rHUNfse5uoTK3vUZ0ys0h4p3oSskZeYh3Kjo1"
    "j/YWRFn1U0EcrnlW6d7WoMeWn6cFI0Y3PFSXWOnltehg5BsaxE5t6ONmHpUcd7CO2u4uZ5BcZwW4gD+pGAvPxEia4ojJqPIXJcpRNlrUH/LzH5iD"
    "hL3l448TJBPJRRCkls4jDLqHqHwls68nxoi9Q1JhADxSHLyQHUkuediv/nt1ogms6hjUZ25E7Q4OTuoEaJbxpNJrpmYhg/V2kuW3YDhfTd+K+5b3"
    "dmh2VIKjq+PKyuPgTqwGL+aO+xkc021Nor+dpUw+sx9HZiZ6qHlxEfO/uua2oOgmzz5ar6lhSWH8aTTL35yRYiDybLk="
)
KF_SIGNATURE = "1ad7626f86a2c225cdc666ea284822a6560848bd"
ECHO = "1616140317555161061"
ECHO_SEALED = "Q3stYC6hdFzMh9T8HCvyDH0IHJENRtL8kKsqSYgg4gClawqfEI4bjkd/sThBdy5abkkNPf3wQSpydibwulBNcw=="
ECHO_SIGNATURE = "3195f71a219952738de2eed1793dbeac0a9c6981"
