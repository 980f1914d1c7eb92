"""The parts of the benchmark of lists: a benchmark that measures something else is worse than none."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

# Benchmarks are run from the root of the repository, and belong to no package that is installed.
sys.path.append(str(Path(__file__).parents[1]))
cold = importlib.import_module("benchmarks.cold")
collections = importlib.import_module("benchmarks.collections")
list_server = importlib.import_module("benchmarks.list_server")
download = importlib.import_module("benchmarks.download")
drawing = importlib.import_module("benchmarks.plot")

PATH = "/v1/events/1200/registrations"


@pytest.fixture(scope="module")
def pages() -> Any:
    return list_server.Pages()


def page(pages: Any, number: int, total: int = 1200) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(pages.body("http://x", PATH, total, number))
    return body


def test_the_server_s_pages_are_a_list(pages: Any) -> None:
    bodies = [page(pages, number) for number in range(1, 13)]
    rows = [row for body in bodies for row in body["data"]]
    assert len({row["id"] for row in rows}) == len(rows) == 1200
    assert all(row["attributes"]["id"] == row["id"] for row in rows)
    assert {body["meta"]["count"] for body in bodies} == {1200}
    links = [body["links"]["next"] for body in bodies]
    assert links == [*(f"http://x{PATH}?perPage=100&page={number}" for number in range(2, 13)), None]
    assert page(pages, 13) | {"links": None} == {"data": [], "meta": {"count": 1200}, "links": None}


@pytest.mark.system
def test_ours_and_a_plain_loop_write_the_same_rows(tmp_path: Path) -> None:
    kept = {}
    with collections.list_server(0) as origin:
        assert collections.read("sockets-4", origin, 400, tmp_path / "counted") is not None
        for name in ("requests", "ours"):
            target = tmp_path / f"{name}.jsonl"
            result = collections.read(name, origin, 400, target)
            assert result is not None
            assert result.memory > 0
            assert result.cpu > 0
            kept[name] = [json.loads(line) for line in target.read_text().splitlines()]
    assert kept["ours"] == kept["requests"]
    assert len(kept["ours"]) == 400


@pytest.mark.system
def test_a_report_over_tls_arrives_whole(tmp_path: Path) -> None:
    size = 1_500_001
    with download.file_server(size) as connection:
        assert connection["host"].startswith("https://")
        for report, mark in (("1", b""), ("quoted", b'"')):
            found = download.export(connection, report, tmp_path / "ours.csv")
            assert found.seconds > 0
            assert 0 < found.counting < found.cpu
            assert found.size == (tmp_path / "ours.csv").stat().st_size == size
            assert (tmp_path / "ours.csv").read_bytes().startswith(mark + b"0000")
    with pytest.raises(subprocess.CalledProcessError):
        download.export({**connection, "host": "https://127.0.0.1:1"}, "1", tmp_path / "none.csv")


@pytest.mark.system
def test_the_memory_of_a_task_is_measured_over_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "interpreter", lambda module: None)
    ours, http = cold.memory((1_500_001,)).splitlines()[2:]
    assert re.fullmatch(r"\| \*\*ours\*\*: .* \| 1 \| \d+ \| \d+ \|", ours)
    assert "skipped: not installed" in http


def test_the_peak_of_a_process_is_its_own() -> None:
    """Found as 0 MiB for a load of 200,000 rows, where the process that started it had taken more before."""
    code = "from benchmarks.machine import memory; print(memory('VmRSS'), memory('VmHWM'))"
    mine = bytearray(b"x" * 300 * 2**20)
    root = Path(__file__).parents[1]
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    now, peak = (int(number) for number in said.split())
    assert 0 < now <= peak < len(mine) // 2


def test_what_is_not_installed_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(collections.machine, "_has", lambda python, module: False)
    monkeypatch.delenv("BENCH_DLT_PYTHON", raising=False)
    assert collections.interpreter("dlt") is collections.interpreter("http") is None
    assert collections.read("dlt", "http://127.0.0.1:1", 100, tmp_path / "x") is None


@pytest.mark.system
def test_a_way_that_fails_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"requests: .*Connection"):
        collections.read("requests", "http://127.0.0.1:1", 100, tmp_path / "x")


def test_the_plot_is_an_svg_with_every_value() -> None:
    panels = [
        drawing.Panel("seconds", [1000, 100_000], [0.25, 31.4], logarithmic=True),
        drawing.Panel("MiB", [1000, 100_000], [7.0, 12.0], limit=48),
    ]
    drawn = ElementTree.fromstring(drawing.plot("A & B", "both", panels))
    texts = [element.text for element in drawn.iter() if element.text]
    assert "A & B" in texts
    assert {"0.25", "31", "7", "12", "1,000", "100,000", "promised: at most 48"} <= set(texts)
    # The last value of the second panel lies under its limit: further down.
    circles = [float(element.get("cy", "")) for element in drawn.iter() if element.tag.endswith("circle")]
    assert len(circles) == 4
    assert circles[0] > circles[1]
    assert circles[2] > circles[3] > 56


def test_the_pages_of_links_are_a_list() -> None:
    link_server = importlib.import_module("benchmarks.link_server")
    bodies = [json.loads(link_server.page("2500", number)) for number in (1, 2, 3)]
    addresses = [row["attributes"]["email"] for body in bodies for row in body["data"]]
    assert len(set(addresses)) == len(addresses) == 2500
    assert {body["meta"]["count"] for body in bodies} == {2500}
    assert [bool(body["links"]["next"]) for body in bodies] == [True, True, False]


@pytest.mark.system
def test_both_ways_find_the_event_over_tls() -> None:
    lookup = importlib.import_module("benchmarks.lookup")
    with lookup.event_server(500) as connection:
        assert connection["host"].startswith("https://")
        found = [lookup.ours(connection)["id"], lookup.page_loop(500, connection)["id"]]
        assert found[0] == found[1]
        assert lookup.requests_so_far(connection) == 8
