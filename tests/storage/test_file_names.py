"""File names from outside."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_ringevents.storage import identifier_file_name, safe_file_name
from airflow_provider_ringevents.storage.file_names import temporary_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("report.csv", "report.csv"),
        ("Q&A #1 (final) 100%.csv", "Q&A #1 (final) 100%.csv"),
        ("Übersicht-報告-تقرير-🎟.csv", "Übersicht-報告-تقرير-🎟.csv"),
        ("family 👨\u200d👩\u200d👧.csv", "family 👨\u200d👩\u200d👧.csv"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/absolute/path.csv", "path.csv"),
        ("C:\\temp\\x.csv", "x.csv"),
        ("C:x.csv", "C_x.csv"),
        ("file:///etc/passwd", "passwd"),
        ("..", "fallback.csv"),
        (".", "fallback.csv"),
        ("", "fallback.csv"),
        ("   ", "fallback.csv"),
        ("dir/", "fallback.csv"),
        ("\x00\x01\x1f\x7f\x85", "fallback.csv"),
        ("???", "fallback.csv"),
        (".bashrc", "bashrc"),
        ("...hidden.csv", "hidden.csv"),
        ("a\x00b\r\nc.csv", "abc.csv"),
        ("a\u2028b\u2029c.csv", "abc.csv"),
        ("evil\u202ecsv.exe", "evilcsv.exe"),
        ("\ufeffbom.csv", "bom.csv"),
        ("lone\ud800surrogate.csv", "lonesurrogate.csv"),
        ('a<b>c:d"e|f?g*h.csv', "a_b_c_d_e_f_g_h.csv"),
        ("trailing. . .", "trailing"),
        ("report.csv#", "report.csv"),
        ("report.csv\u00a0", "report.csv"),
        ("\u3000report.csv\u3000.\u00a0", "report.csv"),
        ("\u00a0", "fallback.csv"),
        ("CON", "_CON"),
        ("con.csv", "_con.csv"),
        ("Lpt1.report.csv", "_Lpt1.report.csv"),
        ("COM¹.csv", "_COM¹.csv"),
        ("nul .csv", "_nul .csv"),
        ("console.csv", "console.csv"),
        ("com10.csv", "com10.csv"),
        ("x" * 300 + ".csv.gz", "x" * 193 + ".csv.gz"),
        ("ü" * 150 + ".csv", "ü" * 98 + ".csv"),
        ("x" * 300, "x" * 200),
        ("a." + "x" * 300, "a." + "x" * 198),
    ],
)
def test_names(name: str, safe: str) -> None:
    assert safe_file_name(name, "fallback.csv") == safe


def test_the_fallback_is_made_safe_too() -> None:
    assert safe_file_name("", "registrations-../x\n1.csv") == "x1.csv"
    assert safe_file_name("..", "..") == "download"


@given(st.text(), st.text())
@example("COM1.", "")
@example(". #. #", "_")
def test_a_safe_name_is_always_safe(name: str, fallback: str) -> None:
    safe = safe_file_name(name, fallback)
    assert 0 < len(safe.encode()) <= 200
    assert not set(safe) & set('/\\<>:"|?*')
    assert safe == safe.strip(" .")
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in safe)
    assert safe_file_name(safe, "other") == safe
    assert len(temporary_name(safe).encode()) <= 255


def test_each_id_has_a_name_of_its_own() -> None:
    ids = ["AbUeb7iAoLBFoz1Hg6riljvcg", "a:b", "a_b", "a|b", ".a", "a", "a.", "a#", "con", "_con", "é" * 255, "é" * 254]
    names = [identifier_file_name(id) for id in ids]
    assert len(set(names)) == len(ids)
    assert names[0] == ids[0]
    for name in names:
        assert safe_file_name(f"registrations-{name}.parquet", "") == f"registrations-{name}.parquet"
        assert safe_file_name(name, "") == name


def test_part_names_are_hidden_and_always_the_same() -> None:
    assert temporary_name("report.csv") == temporary_name("report.csv") == ".report.csv.ringevents-part"
    long = [temporary_name("x" * 255), temporary_name("x" * 254 + "y")]
    assert long[0] != long[1]
    assert all(len(name) <= 255 and name.startswith(".") for name in long)
