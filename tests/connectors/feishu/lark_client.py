"""Feishu's own SDK as a client of our simulator, in a process of its own: it keeps an event loop for itself.

Arguments: the simulator's address, app id, secret, Encrypt Key, Verification Token, and as JSON a posted request and
frames of ours in hex. Writes one JSON line for whatever it understood.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import lark_oapi as lark
from lark_oapi.api.im.v1 import ListMessageRequest, ReplyMessageRequest, ReplyMessageRequestBody
from lark_oapi.core.model import RawRequest
from lark_oapi.ws.pb.pbbp2_pb2 import Frame


def tell(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def main(url: str, app_id: str, secret: str, key: str, token: str, given: str) -> None:
    posted = json.loads(given)
    tell(frames=[there_and_back(bytes.fromhex(frame)).hex() for frame in posted["frames"]])

    def heard(event: Any) -> None:
        message, sender = event.event.message, event.event.sender
        tell(heard=message.message_id, text=json.loads(message.content)["text"], who=sender.sender_id.open_id)

    handler = lark.EventDispatcherHandler.builder(key, token).register_p2_im_message_receive_v1(heard).build()
    answer = handler.do(request_of(posted))
    tell(status=answer.status_code)
    client = lark.Client.builder().app_id(app_id).app_secret(secret).domain(url).build()
    chat = ListMessageRequest.builder().container_id_type("chat").container_id("oc_a0553eda9014c201e6969b478")
    page = client.im.v1.message.list(chat.page_size(2).sort_type("ByCreateTimeAsc").build())
    tell(code=page.code, more=page.data.has_more, listed=[item.message_id for item in page.data.items])
    body = ReplyMessageRequestBody.builder().msg_type("text").content('{"text":"ok"}').uuid("u-1").build()
    reply = ReplyMessageRequest.builder().message_id(page.data.items[0].message_id).request_body(body).build()
    tell(code=client.im.v1.message.reply(reply).code)
    lark.ws.Client(app_id, secret, event_handler=handler, domain=url).start()


def there_and_back(data: bytes) -> bytes:
    frame = Frame()
    frame.ParseFromString(data)
    written: bytes = frame.SerializeToString()
    return written


def request_of(posted: dict[str, Any]) -> RawRequest:
    request = RawRequest()
    request.uri, request.headers, request.body = "/", posted["headers"], posted["body"].encode()
    return request


if __name__ == "__main__":
    main(*sys.argv[1:])
