"""The page without a mouse, on a phone, in Chinese and in the dark."""

import re

import pytest

pytest.importorskip("playwright")
pytest.importorskip("fastapi")

from support.browser import CHROMIUM, Page, Server, chromium

if not CHROMIUM:
    pytest.skip("no Chromium on this machine (apt-get install chromium)", allow_module_level=True)

CONTROLS = "button, input:not([type=file]), select, a[href], canvas[tabindex]"
NAMES = f"""() => [...document.querySelectorAll('{CONTROLS}')].filter((e) => e.checkVisibility()).map((e) =>
    [e.tagName + '#' + e.id + ' ' + (e.value ?? ''),
     e.getAttribute('aria-label') || [...(e.labels ?? [])].map((l) => l.innerText).join('') || e.innerText])"""
USED = """() => [...document.querySelectorAll('[data-word],[data-label]')]
    .flatMap((e) => [e.dataset.word, e.dataset.label]).filter(Boolean)"""
FOCUSED = """() => { const e = document.activeElement;
    return e.id || e.dataset.word || (e.type === 'radio' ? e.name : e.getAttribute('aria-label') || e.className); }"""


@pytest.fixture(scope="module")
def server():
    with Server(model="koutu-small") as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def open_example(page: Page) -> None:
    page.page.click("#start-example")
    page.matted()


def test_every_control_has_a_name_and_is_reached_by_tab(browser, server):
    with Page(browser, server.url, "?engine=server&view=split") as page:
        open_example(page)
        for what, name in page.page.evaluate(NAMES):
            assert name.strip(), what
        page.page.evaluate("document.activeElement.blur()")
        reached = []
        for _ in range(60):
            page.page.keyboard.press("Tab")
            reached.append(page.page.evaluate(FOCUSED))
            if len(reached) > 5 and reached[-1] == reached[0]:
                break
        wanted = {"language", "theme", "view", "split", "edge", "zoom-in", "open-file", "open-camera", "close"}
        assert wanted | {"background", "engine", "saveCutout", "saveAlpha", "Own picture"} <= set(reached)


def test_by_keys_alone(browser, server):
    """Open the example, zoom and move, compare, choose another background."""
    with Page(browser, server.url, "?engine=server") as page:
        keys = page.page.keyboard
        page.page.focus("#start-example")
        keys.press("Enter")
        page.matted()
        assert page.page.evaluate("document.activeElement.id") == "view"
        keys.press("+")
        keys.press("ArrowLeft")
        assert page.page.inner_text("#zoom-now") == "1.5×"
        keys.press("0")
        assert page.page.inner_text("#zoom-now") == "1×"
        page.page.focus('input[name="view"][value="result"]')
        keys.press("ArrowRight")
        assert page.page.is_visible("#split")
        page.page.focus("#split")
        keys.press("ArrowRight")
        assert float(page.page.input_value("#split")) > 50
        page.page.focus('input[name="background"][value="transparent"]')
        keys.press("ArrowRight")
        assert page.page.is_visible("#strength")
        assert page.page.inner_text("#told").startswith("Opened:")
        assert page.errors == []


@pytest.mark.parametrize("language", ["en-US", "zh-CN"])
def test_on_a_phone(browser, server, language):
    phone = {"width": 390, "height": 844}
    with Page(browser, server.url, "?engine=server", viewport=phone, locale=language, has_touch=True) as page:
        open_example(page)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= 390
        small = """() => [...document.querySelectorAll('button, select, .tile')].filter((e) => e.checkVisibility())
            .map((e) => [e.id || e.className, e.getBoundingClientRect()])
            .filter(([, box]) => Math.min(box.width, box.height) < 36).map(([name]) => name)"""
        assert page.page.evaluate(small) == []
        assert page.page.evaluate("document.documentElement.lang") == ("en" if language == "en-US" else "zh-Hans")


def test_both_languages_have_every_word(browser, server):
    with Page(browser, server.url, "?engine=server") as page:
        words = page.page.evaluate("async () => (await import('/web/js/words.js')).WORDS")
        assert set(words["en"]) == set(words["zh"])
        blanks = re.compile(r"\{\w+\}")
        for key, text in words["en"].items():
            assert sorted(blanks.findall(text)) == sorted(blanks.findall(words["zh"][key])), key
        used = page.page.evaluate(USED)
        assert set(used) <= set(words["en"])
        page.page.click("#language")
        assert page.page.inner_text("#start-file") == "选择文件"
        page.page.reload()
        assert page.page.inner_text("#start-file") == "选择文件"


def test_light_and_dark(browser, server):
    """Text stands out from what it is on, 4.5 : 1 and more, in both."""
    names = ["paper", "sheet", "ink", "faint", "seal", "on-seal"]
    code = """(names) => names.map((name) =>
        getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim())"""
    pairs = (("ink", "paper"), ("ink", "sheet"), ("faint", "sheet"), ("faint", "paper"), ("on-seal", "seal"))
    seen = set()
    for scheme in ("light", "dark"):
        with Page(browser, server.url, "?engine=server", color_scheme=scheme) as page:
            colours = dict(zip(names, page.page.evaluate(code, names), strict=True))
        seen.add(colours["paper"])
        for text, ground in pairs:
            assert contrast(colours[text], colours[ground]) >= 4.5, (scheme, text, ground)
    assert len(seen) == 2


def contrast(a: str, b: str) -> float:
    """The ratio of WCAG 2.2 between two colours, #rgb or #rrggbb."""

    def light(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(2 * d for d in digits) if len(digits) == 3 else digits
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(a), light(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
