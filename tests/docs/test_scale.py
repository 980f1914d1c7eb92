"""The table of what the figures mean is calculated from the benchmarks' own pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import scale


def test_the_page_is_of_today_s_figures() -> None:
    assert scale.PAGE.read_text(encoding="utf-8") == scale.text(), "run `python -m benchmarks.scale`"


def test_a_peer_that_is_not_installed_has_no_ratio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "some-benchmark.md").write_text(
        "| waits | ms | KiB |\n|---|---|---|\n| us | 1,234.5 (2) | 7 |\n| it | skipped |\n"
    )
    monkeypatch.setattr(scale, "GENERATED", tmp_path)

    assert scale.figure("some", "us", "ms") == 1234.5
    assert scale.figure("some", "it", "KiB") is None
    with pytest.raises(LookupError, match="no row 'you' with a column 'ms'"):
        scale.figure("some", "you", "ms")
