"""The daemon as a process: started, fed, reloaded, stopped."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from allears_sdk.reference import is_reference
from tests.daemon.house import HOOK, SECRET, TOKEN, House


def test_from_a_form_and_a_folder_to_a_file_over_a_restart(house: House) -> None:
    house.start()
    answer = house.post("收到的空气炸锅插上电不加热，要求退款，电话13812345678", "form-1", author={"name": "王小明"})
    house.drop("broken-cup", "The cup arrived broken, please send a new one.")
    filed = house.until_filed(2)
    by_channel = {line["complaint"]["channel"]: line["complaint"] for line in filed}
    form, desk = by_channel["form"], by_channel["desk"]
    assert is_reference(answer["reference"])
    assert form["id"] == answer["reference"]
    assert (form["contact"]["name"], form["expectation"], form["language"]) == ("王小明", ["refund"], "zh")
    assert (desk["title"], desk["contact"]["email"]) == ("broken-cup", "hanmm@example.cn")
    assert house.stop() == 0

    house.start()
    again = house.post("收到的空气炸锅插上电不加热，要求退款，电话13812345678", "form-1", author={"name": "王小明"})
    assert again["reference"] == answer["reference"]
    house.post("快递显示已签收，但我没有收到", "form-2")
    house.drop("broken-cup", "The cup arrived broken, please send a new one.")
    house.until_filed(3)
    house.until(lambda: not list((house.folder / "desk").glob("*.eml")), "the file was taken")
    assert house.stop() == 0
    assert len(house.filed()) == 3
    secrets = [secret for secret in (TOKEN, "13812345678", "hanmm@example.cn", "不加热") if secret in house.log]
    assert not secrets, "neither secrets nor what customers say stands in the log, at debug level too"


def test_a_killed_daemon_goes_on(house: House) -> None:
    house.start()
    for number in range(20):
        house.post(f"第 {number} 件：杯子碎了，要求退款", f"form-{number}")
    house.signal(signal.SIGKILL)
    house.wait()
    house.start()
    lines = house.until_filed(20)
    assert house.stop() == 0
    assert len({line["complaint"]["id"] for line in lines}) == len(house.filed()) == 20


def test_a_reload_swaps_what_changed_and_an_invalid_file_changes_nothing(house: House) -> None:
    house.start()
    house.post("杯子碎了，要求退款", "form-1")
    house.until_filed(1)

    house.edit("filed.jsonl", "second.jsonl")
    house.signal(signal.SIGHUP)
    house.until(lambda: "reloaded" in house.log, "reloaded")
    house.post("快递没到，要求退款", "form-2")
    house.until_filed(1, "second.jsonl")

    house.edit("interval_seconds", "intervall_seconds")
    house.signal(signal.SIGHUP)
    house.until(lambda: "reload_refused" in house.log, "refused")
    assert "interval_seconds" in house.log.partition("reload_refused")[2], "it names the nearest key"
    house.post("发错颜色了，要求换货", "form-3")
    house.until_filed(2, "second.jsonl")

    house.edit("intervall_seconds", "interval_seconds")
    house.edit("/desk", "/counter")
    house.signal(signal.SIGHUP)
    house.until(lambda: house.log.count("reloaded") == 2, "reloaded")
    house.drop("from-the-counter", "The cup arrived broken, please send a new one.", folder="counter")
    house.until_filed(3, "second.jsonl")
    assert len(house.filed()) == 1
    assert house.stop() == 0


def test_a_destination_that_cannot_be_changed_goes_on_as_it_was(house: House) -> None:
    house.start()
    (house.folder / "folder.jsonl").mkdir()
    house.edit("filed.jsonl", "folder.jsonl")
    house.signal(signal.SIGHUP)
    house.until(lambda: "destination_cannot_start" in house.log, "it says why")
    house.post("杯子碎了，要求退款", "form-1")
    house.until_filed(1)
    assert house.stop() == 0


def test_a_destination_that_cannot_start_stops_nobody_from_being_heard(house: House) -> None:
    (house.folder / "folder.jsonl").mkdir()
    house.edit("filed.jsonl", "folder.jsonl")
    house.start()
    house.post("杯子碎了，要求退款", "form-1")
    house.edit("folder.jsonl", "filed.jsonl")
    house.signal(signal.SIGHUP)
    house.until_filed(1)
    assert house.stop() == 0


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes requests and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/hook"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for one in taken:
            one.close()


def test_a_stop_ends_within_its_time_with_calls_under_way(house: House) -> None:
    with silent_server() as url:
        house.configure(HOOK.format(url=url, secret=SECRET), stop_seconds=2)
        house.start()
        house.post("杯子碎了，要求退款", "form-1")
        house.until_filed(1)
        house.until(lambda: _sending(house), "the call runs")
        began = time.monotonic()
        assert house.stop(12) == 0
        took = time.monotonic() - began
    assert 1 < took < 6, f"{took:.1f} s"
    assert SECRET not in house.log


def _sending(house: House) -> bool:
    rows = house.api("/api/deliveries?destination=hook")["deliveries"]
    return [row["state"] for row in rows] == ["sending"]


def test_an_idle_daemon_stops_at_once(house: House) -> None:
    house.start()
    began = time.monotonic()
    assert house.stop(10) == 0
    assert time.monotonic() - began < 4


def test_a_taken_port_says_so(house: House) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        house.configure(public=port)
        done = house.command("run")
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_daemon_on_one_data_folder_says_so(house: House) -> None:
    house.start()
    done = house.command("run")
    assert done.returncode == 4
    assert "another allears runs on" in done.stderr
    assert "Traceback" not in done.stderr
    house.post("杯子碎了，要求退款", "form-1")
    house.until_filed(1)
    assert house.stop() == 0


def test_a_channel_paused_by_a_command_is_left_alone_until_it_is_resumed(house: House) -> None:
    house.start()
    house.drop("first", "The cup arrived broken, please send a new one.")
    house.until_filed(1)
    assert house.command("channels", "pause", "desk").returncode == 0
    house.until(lambda: _state(house, "desk") == "paused", "it noticed")
    house.drop("second", "The kettle does not heat, I want a refund.")
    time.sleep(2.5)
    assert (house.folder / "desk" / "second.eml").exists()
    assert house.command("channels", "resume", "desk").returncode == 0
    house.until_filed(2)
    assert house.stop() == 0


def _state(house: House, name: str) -> str:
    states = {row["name"]: str(row["state"]) for row in house.api("/api/channels")["channels"]}
    return states[name]
