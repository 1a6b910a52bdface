"""koutu serve: the page's files, what it offers, and pictures in and out by both interfaces."""

import base64
import io
import json
import zipfile

import numpy as np
import pytest
from support.serving import client, encoded, file_of, opened, person

import koutu
from koutu.composite import replace
from koutu.media.image import read_image
from koutu.zoo import WEIGHTS


@pytest.fixture(scope="module")
def web():
    with client() as found:
        yield found


def told(answer, status: int, code: str) -> str:
    """The detail of a refusal."""
    assert answer.status_code == status, answer.text
    (error,) = answer.json()["errors"]
    assert error["code"] == code and error["title"] and error["detail"]
    return error["detail"]


def test_the_page_is_isolated_and_takes_nothing_from_elsewhere(web):
    answer = web.get("/")
    assert answer.status_code in (200, 503)  # 503: without its page, which says so
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["cross-origin-embedder-policy"] == "require-corp"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "'wasm-unsafe-eval'" in policy and "worker-src 'self' blob:" in policy
    assert "unsafe-inline" not in policy and "http" not in policy


def test_files_of_the_page(web, tmp_path, monkeypatch):
    import gzip
    import lzma

    from koutu.server import pages

    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.mjs").write_text("export {}")
    (tmp_path / "net.wasm.gz").write_bytes(gzip.compress(b"wasm" * 100))
    (tmp_path / "slow.wasm.xz").write_bytes(lzma.compress(b"slow" * 100))
    (tmp_path / "b.css").write_text("p {}")
    (tmp_path / "b.css.gz").write_bytes(gzip.compress(b"p {}"))
    (tmp_path / "link").symlink_to("/etc/hostname")
    monkeypatch.setattr(pages, "WEB", tmp_path)
    with client() as other:
        script = other.get("/web/js/a.mjs")
        assert script.text == "export {}" and script.headers["content-type"].startswith("text/javascript")
        again = other.get("/web/js/a.mjs", headers={"If-None-Match": script.headers["etag"]})
        assert again.status_code == 304 and not again.content
        packed = other.get("/web/net.wasm", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["content-encoding"] == "gzip" and packed.headers["content-type"] == "application/wasm"
        assert packed.content == b"wasm" * 100  # the client unpacks
        for encoding in ("gzip", "identity"):  # kept as xz, which browsers do not take
            slow = other.get("/web/slow.wasm", headers={"Accept-Encoding": encoding})
            assert slow.headers.get("content-encoding", "identity") == encoding and slow.content == b"slow" * 100
        plain = other.get("/web/net.wasm", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers and plain.content == b"wasm" * 100
        assert plain.headers["etag"] != packed.headers["etag"]
        assert other.get("/web/b.css", headers={"Accept-Encoding": "identity"}).text == "p {}"
        for name in (
            "link",
            "../app.py",
            "..%2fapp.py",
            "%2e%2e/app.py",
            "js",
            "nothing",
            "net.wasm.gz",
            "slow.wasm.xz",
            "a%00b",
        ):
            assert other.get(f"/web/{name}").status_code == 404
        (tmp_path / "js" / "a.mjs").write_text("export {a}")
        assert other.get("/web/js/a.mjs").text == "export {a}"
        (tmp_path / "js" / "a.mjs").unlink()
        assert other.get("/web/js/a.mjs").status_code == 404


def test_config_says_what_there_is(web):
    config = web.get("/api/config").json()
    assert config["version"] == koutu.__version__ and not config["token_required"]
    assert [model["name"] for model in config["models"]] == ["koutu-small", "koutu"]
    for model in config["models"]:
        file = web.get(model["url"])
        assert file.content == (WEIGHTS / f"{model['name']}.onnx").read_bytes() and len(file.content) == model["bytes"]
        assert model["states"] == {"prev": "pha"} and model["stride"] == 8 and model["pixels"] > 10_000
        assert model["licence"] == "Apache-2.0" and model["summary"]
    assert len(config["backgrounds"]) == 4
    for background in config["backgrounds"]:
        assert opened(web.get(background["url"]).content).size == (1920, 1080)
        assert opened(web.get(background["thumb"]).content).size == (320, 180)
    assert web.get("/models/modnet.onnx").status_code == web.get("/backgrounds/x").status_code == 404
    assert config["limits"]["upload_mb"] == 64 and config["engines"]["websocket"]


def test_watching(web):
    assert web.get("/healthz").text == "ok\n" and web.get("/readyz").status_code == 200
    web.get("/nothing/of/the/kind")
    text = web.get("/metrics").text
    assert 'koutu_requests_total{route="/healthz",status="200"}' in text
    assert 'koutu_requests_total{route="none",status="404"}' in text and "kind" not in text
    assert "# TYPE koutu_request_seconds histogram" in text and 'le="+Inf"' in text
    for line in text.splitlines():
        assert line.startswith("#") or float(line.rpartition(" ")[2]) >= 0


def test_the_reference_needs_nothing_else(web):
    page = web.get("/docs").text
    assert "/api/removebg" in page and "crop_margin" in page and "/api/stream" in page
    assert "<script" not in page and "//" not in page.replace("<!doctype", "").replace("https, in", "")
    assert web.get("/docs/style.css").headers["content-type"].startswith("text/css")


def test_remove_gives_what_the_library_gives(web):
    answer = web.post("/api/remove", files={"file": ("a.png", encoded("PNG"))})
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    image = opened(answer.content)
    matte = koutu.matte(person(), model="koutu-small")
    assert image.mode == "RGBA" and np.array_equal(np.asarray(image)[..., 3], matte.alpha)
    assert np.asarray(image)[matte.alpha == 0].mean() < 5  # the room stays at home
    body = web.post("/api/remove", content=encoded("PNG"), headers={"Content-Type": "image/png"})
    assert body.content == answer.content
    assert web.post("/api/remove?model=koutu", content=encoded("PNG")).content != answer.content


@pytest.mark.parametrize("fields", [{"om": "true"}, {"only_mask": "1"}, {"format": "alpha"}])
def test_remove_only_mask(web, fields):
    answer = web.post("/api/remove", files={"file": encoded("PNG")}, data=fields)
    grey = np.asarray(opened(answer.content))
    assert np.array_equal(grey[..., 0], koutu.matte(person(), model="koutu-small").alpha)


def test_remove_with_backgrounds_and_formats(web):
    matte = koutu.matte(person(), model="koutu-small")
    fgr = koutu.decontaminate(person(), matte.alpha)
    for word in ("#204060", "204060", "32,64,96", "32,64,96,255"):
        image = opened(web.post("/api/remove", files={"file": encoded("PNG")}, data={"bgcolor": word}).content)
        colour = np.full_like(person(), (32, 64, 96))
        assert image.mode == "RGB" and np.array_equal(np.asarray(image), np.asarray(replace(fgr, matte.alpha, colour)))
    for word in ("blur", "blur:20", "dusk", "red"):
        answer = web.post(f"/api/remove?background={word}&format=webp", content=encoded())
        assert answer.headers["content-type"] == "image/webp" and opened(answer.content).mode == "RGB"
    half = np.asarray(
        opened(web.post("/api/remove", files={"file": encoded("PNG")}, data={"bgc": "9,9,9,128"}).content)
    )
    assert half[..., 3].min() == 128 and np.array_equal(half[matte.alpha == 0][:, :3].ravel()[:3], [9, 9, 9])
    white = opened(web.post("/api/remove?format=jpg", content=encoded("PNG")).content)
    assert white.format == "JPEG" and np.asarray(white)[matte.alpha == 0].mean() > 250
    archive = zipfile.ZipFile(io.BytesIO(web.post("/api/remove?format=zip", content=encoded("PNG")).content))
    assert sorted(archive.namelist()) == ["alpha.png", "color.jpg"]
    assert np.array_equal(np.asarray(opened(archive.read("alpha.png")))[..., 0], matte.alpha)


def test_rotation_in_exif_is_respected(web):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    turned = file_of(np.ascontiguousarray(np.rot90(person())), "PNG", exif=exif.tobytes())
    image = opened(web.post("/api/remove", content=turned).content)
    assert image.size == (320, 180)
    assert np.array_equal(np.asarray(image)[..., 3], koutu.matte(person(), model="koutu-small").alpha)


def test_photographs_of_phones(web):
    """HEIC in, through every interface; for the page, which may not read it, as JPEG; limits leave 50 megapixels in."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    photograph = file_of(person(), "HEIF", quality=95)
    cut = web.post("/api/remove", files={"file": ("IMG_1.HEIC", photograph)})
    like_jpeg = web.post("/api/remove", content=file_of(read_image(photograph), "PNG"))
    assert np.array_equal(np.asarray(opened(cut.content)), np.asarray(opened(like_jpeg.content)))
    assert web.post("/api/removebg", files={"image_file": ("IMG_1.HEIC", photograph)}).status_code == 200
    jpeg = web.post("/api/jpeg", files={"file": ("IMG_1.HEIC", photograph)})
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert np.abs(read_image(jpeg.content).astype(int) - person()).mean() < 4
    assert "expected an image" in told(web.post("/api/jpeg", content=b"\0\0\0\x1cftypheic"), 400, "invalid_input")
    limits = web.get("/api/config").json()["limits"]
    assert limits["megapixels"] >= 8160 * 6144 / 1e6 and limits["upload_mb"] >= 48


def test_what_cannot_be_used_is_said(web):
    assert "file" in told(web.post("/api/remove"), 400, "missing_source")
    both = web.post("/api/remove", files={"file": encoded()}, data={"url": "http://example.org/a.png"})
    told(both, 400, "missing_source")
    told(web.post("/api/remove", content=b"nonsense"), 400, "invalid_input")
    told(web.post("/api/remove", content=encoded()[:2000]), 400, "invalid_input")
    told(web.post("/api/remove", files={"file": encoded()}, data={"frmat": "png"}), 400, "invalid_parameter")
    told(web.post("/api/remove?format=bmp", content=encoded()), 422, "invalid_request")
    told(web.post("/api/remove", files={"picture": encoded()}), 400, "invalid_request")
    told(web.post("/api/remove?model=modnet", content=encoded()), 400, "invalid_input")
    told(web.post("/api/remove?bgc=red&background=blue", content=encoded()), 400, "invalid_request")
    told(web.post("/api/remove", content=b"{", headers={"Content-Type": "application/json"}), 400, "invalid_request")
    bad = {"Content-Type": "multipart/form-data; boundary=x"}
    told(web.post("/api/remove", content=b"--x\r\nrubbish", headers=bad), 400, "missing_source")
    told(web.get("/api/nothing"), 404, "not_found")
    told(web.put("/api/remove"), 405, "method_not_allowed")


@pytest.mark.parametrize("word", ["/etc/hostname", "../a.png", "talk.mp4", "file:///etc/passwd", "sent-x", "blur:0"])
def test_words_never_become_paths(web, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "talk.mp4").write_bytes(encoded())
    told(web.post("/api/remove", files={"file": encoded()}, data={"background": word}), 400, "invalid_input")
    answer = web.post("/api/removebg", files={"image_file": encoded()}, data={"bg_color": word})
    told(answer, 400, "invalid_input")


def test_a_background_that_was_sent(web):
    answer = web.post("/api/backgrounds", content=file_of(np.full((40, 3000, 3), 77, np.uint8), "PNG"))
    assert answer.status_code == 201 and len(answer.json()["name"]) > 20
    image = web.post(f"/api/remove?background={answer.json()['name']}", content=encoded("PNG")).content
    alpha = koutu.matte(person(), model="koutu-small").alpha
    assert (np.asarray(opened(image))[alpha == 0] == 77).all()
    told(web.post("/api/backgrounds", content=b"x"), 400, "invalid_input")


def bg(web, headers=None, **data):
    return web.post("/api/removebg", files={"image_file": encoded("PNG")}, data=data, headers=headers or {})


def test_removebg_as_remove_bg_answers(web):
    answer = bg(web)
    assert opened(answer.content).mode == "RGBA" and answer.headers["x-type"] == "person"
    assert (answer.headers["x-width"], answer.headers["x-height"]) == ("320", "180")
    said = web.post("/api/removebg", json={"image_file_b64": base64.b64encode(encoded("PNG")).decode(), "crop": True},
                    headers={"Accept": "application/json"}).json()["data"]  # fmt: skip
    cropped = opened(base64.b64decode(said["result_b64"]))
    assert cropped.size == (said["foreground_width"], said["foreground_height"])
    assert said["foreground_top"] == said["foreground_left"] == 0 and cropped.size[0] < 320
    told(web.post("/api/removebg"), 400, "missing_source")
    told(bg(web, image_url="http://example.org/"), 400, "multiple_sources")
    told(web.post("/api/removebg", data={"image_file_b64": "%%"}), 400, "invalid_base64")
    told(bg(web, type="car"), 400, "invalid_parameter")
    empty = file_of(np.full((90, 160, 3), 128, np.uint8))
    told(web.post("/api/removebg", files={"image_file": empty}), 400, "unknown_foreground")


def test_clients_of_others_change_the_host_alone(web):
    """remove.bg's path, rembg's names of networks and all its fields."""
    answer = web.post("/v1.0/removebg", files={"image_file": encoded()}, headers={"X-Api-Key": "any"})
    assert answer.content == web.post("/api/removebg", files={"image_file": encoded()}).content
    fields = {
        "model": "u2net_human_seg",
        "a": "true",
        "af": "240",
        "ab": "10",
        "ae": "10",
        "ppm": "true",
        "extras": "{}",
    }
    answer = web.post("/api/remove", files={"file": encoded()}, params=fields)
    assert answer.content == web.post("/api/remove", files={"file": encoded()}).content
    assert "'u2-net'" in told(web.post("/api/remove?model=u2-net", files={"file": encoded()}), 400, "invalid_input")
    typed = {"Content-Type": "application/x-www-form-urlencoded"}  # as curl --data-binary calls a picture
    assert web.post("/api/remove", content=encoded(), headers=typed).content == answer.content


def test_many_pictures_in_one_request(web):
    """Each result under its picture's name, whatever that is; what cannot be read stands beside them."""
    names = ["a.jpg", "../../a.png", "b/ü&.jpg", "notes.txt"]
    files = [("file", (name, b"hello" if name == "notes.txt" else encoded())) for name in names]
    answer = web.post("/api/batch", files=files, data={"format": "alpha"})
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert set(found) == {"a.png", "a (2).png", "ü_.png", "errors.json"}
    alone = web.post("/api/remove", files={"file": encoded()}, data={"om": "true"}).content
    assert {found[name] for name in found if name != "errors.json"} == {alone}
    assert "expected an image" in json.loads(found["errors.json"])["notes.txt"]
    assert "expected an image" in told(web.post("/api/batch", files=files[-1:]), 400, "invalid_request")
    assert "as file" in told(web.post("/api/batch", files={"image": encoded()}), 400, "invalid_request")
    told(web.post("/api/batch", files=files[:1] * 33), 400, "invalid_request")


def test_removebg_sizes_and_formats(web):
    big = file_of(np.repeat(np.repeat(person(), 4, 0), 4, 1), "JPEG")
    small = web.post("/api/removebg", files={"image_file": big}, data={"size": "preview", "format": "webp"})
    assert opened(small.content).size[0] * opened(small.content).size[1] <= 250_000
    assert opened(small.content).mode == "RGBA"
    assert bg(web, bg_color="81d4fa").headers["content-type"] == "image/jpeg"
    assert bg(web, bg_color="81d4fa77").headers["content-type"] == "image/png"
    assert bg(web, bg_color="fff", format="png").headers["content-type"] == "image/png"
    assert bg(web, format="zip").headers["content-type"] == "application/zip"
    grey = np.asarray(opened(bg(web, channels="alpha").content))
    assert np.array_equal(grey[..., 0], koutu.matte(person(), model="koutu-small").alpha)
    files = {"image_file": encoded(), "bg_image_file": file_of(np.full((9, 9, 3), 50, np.uint8), "PNG")}
    put = np.asarray(opened(web.post("/api/removebg", files=files, data={"format": "png"}).content))
    assert (put[0, 0] == 50).all()
    assert web.post("/api/removebg", files=files, data={"bg_color": "red"}).status_code == 400


def test_removebg_framing(web):
    left = np.asarray(opened(bg(web, scale="50%", position="0% 100%").content))[..., 3]
    rows, columns = np.nonzero(left > 8)
    assert left.shape == (180, 320) and rows.max() == 179 and columns.min() <= 1
    assert 85 <= rows.max() - rows.min() <= 91
    margin = opened(bg(web, crop="true", crop_margin="10px 20px").content).size
    tight = opened(bg(web, crop="true").content).size
    assert margin == (tight[0] + 40, tight[1] + 20)
    halved = np.asarray(opened(bg(web, roi="0% 0% 50% 100%").content))[..., 3]
    assert halved[:, 160:].max() == 0 and halved[:, :160].max() == 255
    wrong = [
        ("scale", "5%"), ("scale", "20px"), ("position", "5"), ("crop_margin", "60%"), ("crop_margin", "1px 2px 3px"),
        ("roi", "1px"), ("roi", "5px 5px 5px 5px"), ("bg_color", "12345"),
    ]  # fmt: skip
    for field, value in wrong:
        told(bg(web, **{field: value}), 400, "invalid_input")


def test_a_picture_of_one_pixel_and_a_very_long_one(web):
    for size in ((1, 1), (1, 5000), (3000, 2)):
        answer = web.post("/api/remove", content=file_of(np.full((*size, 3), 90, np.uint8), "PNG"))
        assert answer.status_code == 200 and opened(answer.content).size == size[::-1]
    assert web.post("/api/remove", content=file_of(np.full((1, 20000, 3), 9, np.uint8))).status_code == 200
    long = web.post("/api/remove?format=webp", content=file_of(np.full((1, 20000, 3), 9, np.uint8)))
    told(long, 400, "invalid_output")
    assert read_image(encoded()).shape == (180, 320, 3)
