"""DingTalk's own SDK as a client of our simulator, in a process of its own: it keeps the event loop for itself.

Arguments: client id and secret; the simulator's address stands in DINGTALK_OPENAPI_ENDPOINT. Writes one JSON line for
each message it understood, and answers it as it would.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from typing import Any

import dingtalk_stream
from dingtalk_stream import AckMessage, CallbackMessage, ChatbotMessage


class Handler(dingtalk_stream.ChatbotHandler):  # type: ignore[misc] # the SDK has no types
    async def process(self, callback: CallbackMessage) -> tuple[int, str]:
        message = ChatbotMessage.from_dict(callback.data)
        told: dict[str, Any] = {
            "id": message.message_id,
            "kind": message.message_type,
            "texts": self.extract_text_from_incoming_message(message),
            "images": [self.get_image_download_url(code) for code in message.get_image_list() or ()],
            "who": message.sender_staff_id,
            "until": message.session_webhook_expired_time,
        }
        self.reply_text("收到", message)
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        return AckMessage.STATUS_OK, "OK"


def main(client_id: str, secret: str) -> None:
    logger = logging.getLogger("client")
    client = dingtalk_stream.DingTalkStreamClient(dingtalk_stream.Credential(client_id, secret), logger)
    client.register_callback_handler(ChatbotMessage.TOPIC, Handler())
    asyncio.run(client.start())


if __name__ == "__main__":
    main(*sys.argv[1:])
