"""airbyte-cdk reads all pages and writes each record as a line, which nobody keeps: what a connector made with it does.
Runs in a virtual environment of its own, which holds nothing of ours.

python airbyte.py URL APP COUNT
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SCHEMA = {"type": "object", "additionalProperties": True, "properties": {"reviewId": {"type": "string"}}}


def manifest(url: str, app: str) -> dict[str, Any]:
    """A source as its documentation writes them: a paged list, a cursor in the answer."""
    requester = {
        "type": "HttpRequester",
        "url_base": f"{url}/",
        "path": f"androidpublisher/v3/applications/{app}/reviews",
        "http_method": "GET",
        "request_parameters": {"maxResults": "100"},
        "authenticator": {"type": "BearerAuthenticator", "api_token": "ya29.bench"},
    }
    strategy = {
        "type": "CursorPagination",
        "cursor_value": "{{ response.get('tokenPagination', {}).get('nextPageToken', '') }}",
        "stop_condition": "{{ not response.get('tokenPagination') }}",
    }
    option = {"type": "RequestOption", "inject_into": "request_parameter", "field_name": "token"}
    retriever = {
        "type": "SimpleRetriever",
        "requester": requester,
        "record_selector": {
            "type": "RecordSelector",
            "extractor": {"type": "DpathExtractor", "field_path": ["reviews"]},
        },
        "paginator": {"type": "DefaultPaginator", "pagination_strategy": strategy, "page_token_option": option},
    }
    stream = {
        "type": "DeclarativeStream",
        "name": "reviews",
        "primary_key": "reviewId",
        "retriever": retriever,
        "schema_loader": {"type": "InlineSchemaLoader", "schema": SCHEMA},
    }
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["reviews"]},
        "streams": [stream],
        "spec": {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}},
    }


def catalog() -> dict[str, Any]:
    stream = {"name": "reviews", "json_schema": SCHEMA, "supported_sync_modes": ["full_refresh"]}
    return {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}]}


def read(url: str, app: str, count: int) -> dict[str, float]:
    from airbyte_cdk.entrypoint import AirbyteEntrypoint  # type: ignore[import-not-found]  # only where it is measured
    from airbyte_cdk.sources.declarative.concurrent_declarative_source import (  # type: ignore[import-not-found]  # same
        ConcurrentDeclarativeSource,
    )

    source = ConcurrentDeclarativeSource(config={}, source_config=manifest(url, app))
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        files = {name: Path(folder) / f"{name}.json" for name in ("config", "catalog")}
        files["config"].write_text("{}")
        files["catalog"].write_text(json.dumps(catalog()))
        given = ["read", "--config", str(files["config"]), "--catalog", str(files["catalog"])]
        parsed = AirbyteEntrypoint.parse_args(given)
        times = []
        began, cpu = time.perf_counter(), time.process_time()
        for line in AirbyteEntrypoint(source).run(parsed):
            nowhere.write(f"{line}\n")
            if '"type":"RECORD"' in line:
                times.append(time.perf_counter())
        cpu = time.process_time() - cpu
    return {**rates(times, began, count), "cpu_ms_per_row": 1000 * cpu / count}


def rates(times: list[float], began: float, count: int) -> dict[str, float]:
    first, last = times[len(times) // 10], times[len(times) * 9 // 10]
    return {
        "per_second": len(times) / (times[-1] - times[0]),
        "sustained": len(times) * 0.8 / (last - first),
        "seconds_with_start": times[-1] - began,
        "lost": float(count - len(times)),
    }


if __name__ == "__main__":
    print(json.dumps(read(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
