"""The page of an audit in a real browser: keys grade, the table it saves is read, a reload forgets nothing."""

import numpy as np
import pytest

pytest.importorskip("playwright")

from support.browser import CHROMIUM, chromium

from koutu.data.packs.audit import draw_audit, graded
from koutu.data.packs.pack import Entry, write_pack

if not CHROMIUM:
    pytest.skip("no Chromium", allow_module_level=True)

NAMES = ("a", 'odd, "<b>"', "ü")


@pytest.fixture
def look(tmp_path):
    """An audit of three images."""
    pixels = np.full((20, 20, 4), 200, np.uint8)
    write_pack(
        tmp_path / "p", [(Entry(n, "set", f"set/{n}", True, 20, 20, 4), pixels - i) for i, n in enumerate(NAMES)]
    )
    draw_audit(tmp_path / "p", tmp_path / "look")
    return tmp_path / "look"


def test_keys_grade_and_the_saved_table_is_read(look, tmp_path):
    with chromium() as browser:
        page = browser.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto((look / "audit.html").as_uri())
        for key in ("1", "1", "1"):
            page.keyboard.down(key)  # held: it repeats itself
        page.keyboard.up("1")
        for key in ("3", "ArrowLeft", "2", "9"):
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


def test_a_grade_that_is_changed_outlives_a_reload(look, tmp_path):
    """Also of a page that was drawn with grades; and those of a new drawing come before what older pages remember."""
    grades = look / "grades.csv"
    with chromium() as browser:
        page = browser.new_page()
        for was, given in (("", "good"), ("good", "usable")):
            grades.write_text(grades.read_text("utf-8").replace(f",{was},", f",{given},", 1), "utf-8")
            draw_audit(tmp_path / "p", look)
            page.goto((look / "audit.html").as_uri())
            for shown in (given, "wrong"):
                page.keyboard.press("ArrowLeft")
                assert page.get_attribute(f"#{shown}", "aria-pressed") == "true"
                page.keyboard.press("3")
                page.reload()
