"""Feishu's own SDK as a client of the Bitable simulator, in a process of its own. Argument: the simulator's address.
Writes one JSON line."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import lark_oapi as lark
from lark_oapi.api.bitable.v1 import (
    AppTableRecord,
    Condition,
    CreateAppTableRecordRequest,
    FilterInfo,
    GetAppTableRecordRequest,
    ListAppTableFieldRequest,
    SearchAppTableRecordRequest,
    SearchAppTableRecordRequestBody,
    UpdateAppTableRecordRequest,
)
from lark_oapi.api.drive.v1 import UploadAllMediaRequest, UploadAllMediaRequestBody

from bench.servers.feishu_bitable import APP_ID, APP_SECRET, APP_TOKEN, TABLE

UUID = "fe599b60-450f-46ff-b2ef-9f6675625b97"


def main(url: str) -> None:
    client = lark.Client.builder().app_id(APP_ID).app_secret(APP_SECRET).domain(url).build()
    records = client.bitable.v1.app_table_record
    listed = client.bitable.v1.app_table_field.list(
        ListAppTableFieldRequest.builder().app_token(APP_TOKEN).table_id(TABLE).page_size(100).build()
    )
    content = "屏幕 photo".encode()
    media = UploadAllMediaRequestBody.builder().file_name("碎屏.jpg").parent_type("bitable_file")
    media = media.parent_node(APP_TOKEN).size(len(content)).file(io.BytesIO(content))
    uploaded = client.drive.v1.media.upload_all(UploadAllMediaRequest.builder().request_body(media.build()).build())
    fields = {"投诉编号": "ALE-1", "紧急程度": "紧急", "附件": [{"file_token": uploaded.data.file_token}]}
    row = AppTableRecord.builder().fields(fields).build()
    wanted = CreateAppTableRecordRequest.builder().app_token(APP_TOKEN).table_id(TABLE).request_body(row)
    made = [records.create(wanted.client_token(UUID).build()) for _ in range(2)]
    condition = Condition.builder().field_name("投诉编号").operator("is").value(["ALE-1"]).build()
    filtered = FilterInfo.builder().conjunction("and").conditions([condition]).build()
    search = SearchAppTableRecordRequestBody.builder().filter(filtered).build()
    found = records.search(
        SearchAppTableRecordRequest.builder().app_token(APP_TOKEN).table_id(TABLE).request_body(search).build()
    )
    one = GetAppTableRecordRequest.builder().app_token(APP_TOKEN).table_id(TABLE)
    change = UpdateAppTableRecordRequest.builder().app_token(APP_TOKEN).table_id(TABLE)
    change = change.request_body(AppTableRecord.builder().fields({"标题": "改"}).build())
    record_id = made[0].data.record.record_id
    updated = records.update(change.record_id(record_id).build())
    got = records.get(one.record_id(record_id).build())
    gone = records.get(one.record_id("recNobody").build())
    tell(
        fields=[item.field_name for item in listed.data.items],
        made=[one.data.record.record_id for one in made],
        found=[item.record_id for item in found.data.items],
        text=found.data.items[0].fields["投诉编号"][0]["text"],
        codes=[uploaded.code, made[0].code, found.code, updated.code, got.code, gone.code],
        title=got.data.record.fields["标题"][0]["text"],
    )


def tell(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
