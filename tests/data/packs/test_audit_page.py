"""The page of an audit in a real browser: keys grade, the table it saves is read, a reload forgets nothing."""

import numpy as np
import pytest

pytest.importorskip("playwright")

from support.browser import CHROMIUM, chromium

from koutu.data.packs.audit import draw_audit, graded
from koutu.data.packs.pack import Entry, write_pack

if not CHROMIUM:
    pytest.skip("no Chromium", allow_module_level=True)


def test_keys_grade_and_the_saved_table_is_read(tmp_path):
    names = ("a", 'odd, "<b>"', "ü")
    pixels = np.full((20, 20, 4), 200, np.uint8)
    write_pack(
        tmp_path / "p", [(Entry(n, "set", f"set/{n}", True, 20, 20, 4), pixels - i) for i, n in enumerate(names)]
    )
    draw_audit(tmp_path / "p", tmp_path / "look")
    with chromium() as browser:
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((tmp_path / "look/audit.html").as_uri())
        for key in ("1", "3", "ArrowLeft", "2", "9"):
            page.keyboard.press(key)
        page.reload()
        assert page.inner_text("#left") == "1 of 3 to grade" and "number 3" in page.inner_text("#about")
        assert page.evaluate("document.getElementById('picture').naturalWidth") > 700
        page.click("#wrong")
        with page.expect_download() as download:
            page.click("#save")
        download.value.save_as(tmp_path / "grades.csv")
        assert not faults
    (tally,) = graded(tmp_path / "p", tmp_path / "grades.csv")
    assert tally.counts == {"good": 1, "usable": 1, "wrong": 1}
