"""What an admin says about a Bitable."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from allears_sdk.settings import Settings
from allears_sdk.tickets import TicketSettings, WhenNotFound


class FollowUpTable(Settings):
    """The table of follow-ups: a record for each."""

    table_id: str = Field(
        pattern=r"^tbl[A-Za-z0-9]+$", description="Its id, from its address.", examples=["tblFollowUps0001"]
    )
    key_column: str = Field(default="allears", description="Text column for the complaint's key.")
    text_column: str = Field(default="跟进内容", description="Text column for what is new.")
    link_column: str = Field(default="", description="Link column to the complaint's record; empty: none.")
    files_column: str = Field(default="附件", description='Attachment column; not needed with `files.mode = "link"`.')


class FeishuBitableSettings(TicketSettings):
    """One table of one Bitable, and an application that may write to it."""

    example_name: ClassVar[str] = "feishu-ledger"

    sink: Literal["feishu_bitable"] = Field(default="feishu_bitable", description="Which kind of ticket store this is.")
    app_id: str = Field(
        pattern=r"^cli_[A-Za-z0-9_]+$",
        description="App ID of the application, from the console.",
        examples=["cli_a1b2c3d4e5f6a7b8"],
    )
    app_secret: SecretStr = Field(description="App Secret that belongs to it.", examples=["env:FEISHU_APP_SECRET"])
    url: str = Field(
        default="https://open.feishu.cn",
        pattern=r"^https://[^\s@?#/]+$|^http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$",
        description='The open platform; "https://open.larksuite.com" for Lark.',
    )
    app_token: str = Field(
        pattern=r"^[A-Za-z0-9]+$",
        description="Which Bitable: what stands behind /base/ in its address. Of one inside a knowledge base "
        "(/wiki/): its obj_token.",
        examples=["bascnCMII2ORej2RItqpZZUNMIe"],
    )
    table_id: str = Field(
        pattern=r"^tbl[A-Za-z0-9]+$", description="Table of the complaints.", examples=["tblsRc9GRRXKqhvW"]
    )
    key_column: str = Field(
        default="allears", description="Text column for the complaint's key; it is found by it. Nobody may change it."
    )
    title_column: str = Field(default="标题", description="Text column for the title; empty: none.")
    text_column: str = Field(default="问题描述", description="Text column for the description.")
    files_column: str = Field(default="附件", description='Attachment column; not needed with `files.mode = "link"`.')
    follow_ups: FollowUpTable = Field(description="The table of follow-ups.")
    web_url: str = Field(
        default="",
        pattern=r"^$|^https://[^\s?#]+$",
        description="The Bitable's address in a browser, up to the question mark: tickets are linked with it.",
        examples=["https://acme.feishu.cn/base/bascnCMII2ORej2RItqpZZUNMIe"],
    )
    when_not_found: WhenNotFound = "send"
    concurrency: int = Field(
        default=1, ge=1, le=4, description="Feishu writes a table one record after the other; more only collide."
    )
