"""The web chat keeps every connector's promises: message, file, transcript."""

from __future__ import annotations

import json

from pydantic import SecretStr

from allears_sdk.connector import Request
from allears_sdk.context import Context
from allears_sdk.testing.connectors import ConnectorContract
from connectors.webchat import WebchatConnector, WebchatSettings
from tests.connectors.webchat.conftest import IDENTITY, KEY, SITE, post, program, request, upload

SIGNING = "whsec_" + "c2lnbmluZy1rZXkt" * 2


class TestWebchat(ConnectorContract):
    def make_connector(self, context: Context) -> WebchatConnector:
        settings = WebchatSettings(
            allowed_origins=(SITE,),
            api_key=SecretStr(KEY),
            identity_secret=SecretStr(IDENTITY),
            signing_secret=SecretStr(SIGNING),
        )
        return WebchatConnector(settings, context)

    async def request(self, text: str) -> Request:
        return post(text, conversation="c1")


class TestFiles(TestWebchat):
    async def request(self, text: str) -> Request:
        return upload(text.encode(), conversation="c1", name="说明.txt")


class TestTranscripts(TestWebchat):
    async def request(self, text: str) -> Request:
        turns = [{"role": "bot", "text": "您好，请问有什么可以帮您？"}, {"role": "customer", "text": text}]
        body = json.dumps({"conversation": "s1", "messages": turns}).encode()
        return request("POST", "/transcripts", body, program())
