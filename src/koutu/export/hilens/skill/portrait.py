"""The view, its new background and the picture shown: I = aF + (1 - a)B on NV21 as it lies in memory.

Blending is linear and Y'CbCr an affine map of R'G'B', so NV21 bytes blend as RGB would, without conversions. Alpha is
laid out as NV21 too, for chroma the mean of its 2 x 2 pixels, once for V and once for U: then the whole picture is two
multiplications and one addition of bytes, in OpenCV's vector loops, within one level of the exact result and exact
where alpha is 0 or 255. Sixteen-bit products would be exact throughout at twice to four times the time.
"""

import os

import cv2
import hilens
import numpy as np
import nv21
import settings


class Portrait:
    """Camera frame -> view -> picture to show. Buffers are made once; a frame's results live until the next frame."""

    def __init__(self, given, view, folders):
        """given: settings; view: (width, height); folders: where a background picture is looked for."""
        self.given, (width, height) = given, view
        self.width, self.height = width, height
        wide = given["layout"] == "side_by_side"
        self.shown = nv21.empty(2 * width if wide else width, height)
        self.shown[:height], self.shown[height:] = 16, 128  # black until there is something
        self.view = self.shown[:, :width] if wide else nv21.empty(width, height)
        self._mixed = self.shown[:, width:] if wide else self.shown
        self._scaled = nv21.empty(width, height)
        self._weight, self._rest, self._part = (nv21.empty(width, height) for _ in range(3))
        self._half = np.empty((height // 2, width // 2), np.uint8)
        self._size, self._box = (0, 0), (0, 0, 0, 0)  # of the last frame, and what is cut from it
        self._device = preprocessor() if given["scaling"] == "device" else None
        self._blur = Blur(width, height, given["blur"]) if given["background"] == "blur" else None
        self._behind = background(given, width, height, folders)

    def look(self, frame):
        """The view of the frame: its middle, scaled and mirrored. True if frames are of another size than before."""
        size = nv21.size(frame)
        changed = size != self._size
        if changed:
            box = nv21.window(size[0], size[1], self.width / float(self.height))
            hilens.info("frames of {} x {}: using {} x {} at {}, {}".format(size[0], size[1], box[2], box[3], *box[:2]))
            self._size, self._box = size, box
        target = self._scaled if self.given["mirror"] else self.view
        if self._device is None or not self._scaled_by(self._device, frame, target):
            nv21.scale(nv21.cut(frame, self._box), target)
        if self.given["mirror"]:
            nv21.mirror(self._scaled, self.view)
        return changed

    def compose(self, alpha):
        """Fill `shown` from the view and alpha (h, w) uint8 of any size."""
        if self.given["background"] == "camera":
            self._mixed[:] = self.view
            return
        self._weigh(alpha)
        behind = self._behind if self._blur is None else self._blur(self.view, self._rest[: self.height])
        cv2.multiply(self.view, self._weight, dst=self._part, scale=1 / 255.0)
        cv2.multiply(behind, self._rest, dst=self._rest, scale=1 / 255.0)
        cv2.add(self._part, self._rest, dst=self._mixed)

    def _weigh(self, alpha):
        """Alpha enlarged, and its complement, both laid out as NV21."""
        luma, chroma = nv21.planes(self._weight)
        cv2.resize(alpha, (self.width, self.height), dst=luma, interpolation=cv2.INTER_LINEAR)
        cv2.resize(luma, (self.width // 2, self.height // 2), dst=self._half, interpolation=cv2.INTER_AREA)
        cv2.merge([self._half, self._half], dst=chroma)
        cv2.bitwise_not(self._weight, dst=self._rest)

    def _scaled_by(self, device, frame, target):
        """Crop and scale by the Preprocessor; False, and never again, where it cannot."""
        x, y, w, h = self._box
        try:
            part = frame if (w, h) == nv21.size(frame) else device.crop(frame, x, y, w, h, 0)
            target[:] = device.resize(part, self.width, self.height, 0)
            return True
        except Exception as e:  # ValueError for sizes outside its limits
            hilens.warning(f"Preprocessor: {e}; the CPU scales from now on")
            self._device = None
            return False


def preprocessor():
    """The Kit's own, or None where there is none."""
    try:
        return hilens.Preprocessor()
    except Exception as e:  # CreateError, or what the driver throws
        hilens.warning(f"Preprocessor: {e}; the CPU scales")
        return None


class Blur:
    """The view blurred at 1/8 of its size, without the person's colours: each pixel counts 1 - alpha."""

    def __init__(self, width, height, strength):
        self.size = max(2, width // 8), max(2, height // 8)
        self._sigma = max(0.3, strength / 400.0 * min(width, height) * self.size[0] / width)
        self._shape = (self.size[1], self.size[0], 3)
        self._result = nv21.empty(width, height)
        self._rim = np.ones((3, 3), np.uint8)  # mattes end a little inside the person: keep off that rim

    def __call__(self, view, rest):
        """view: NV21; rest: 1 - alpha (H, W) uint8. The result lives until the next call."""
        luma, chroma = nv21.planes(view)
        small = np.empty(self._shape, np.float32)
        small[..., 0] = cv2.resize(luma, self.size, interpolation=cv2.INTER_AREA)
        small[..., 1:] = cv2.resize(chroma, self.size, interpolation=cv2.INTER_AREA)
        share = cv2.erode(cv2.resize(rest, self.size, interpolation=cv2.INTER_AREA), self._rim).astype(np.float32)
        share += 0.5  # where nothing of the background is seen, the person's colours after all
        small *= share[..., None]
        small = cv2.GaussianBlur(small, (0, 0), self._sigma)
        small /= cv2.GaussianBlur(share, (0, 0), self._sigma)[..., None]
        small = np.rint(small).astype(np.uint8)
        target = nv21.planes(self._result)
        cv2.resize(small[..., 0], target[0].shape[::-1], dst=target[0], interpolation=cv2.INTER_LINEAR)
        size = target[1].shape[1], target[1].shape[0]
        cv2.resize(np.ascontiguousarray(small[..., 1:]), size, dst=target[1], interpolation=cv2.INTER_LINEAR)
        return self._result


def background(given, width, height, folders):
    """The picture behind, made once: a colour or a file, cut to the view; black where each frame has its own."""
    name = given["background"]
    if name in ("blur", "camera"):
        return nv21.colour((0, 0, 0), width, height)
    rgb = settings.rgb(name)
    if rgb is not None:
        return nv21.colour(rgb, width, height)
    path = next((p for p in (os.path.join(f, name) for f in folders) if os.path.isfile(p)), None)
    bgr = cv2.imread(path, cv2.IMREAD_COLOR) if path else None
    if bgr is None:
        raise settings.SettingsError(
            "background: expected #rrggbb, blur, camera or a picture, got {!r}, which is none in {}".format(
                name, ", ".join(folders)
            )
        )
    return _covering(bgr, width, height)


def _covering(bgr, width, height):
    """The middle of a picture at the view's size."""
    ratio = max(width / float(bgr.shape[1]), height / float(bgr.shape[0]))
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
    w, h = max(width, round(bgr.shape[1] * ratio)), max(height, round(bgr.shape[0] * ratio))
    bgr = cv2.resize(bgr, (w, h), interpolation=way)
    x, y = (w - width) // 2, (h - height) // 2
    return nv21.from_bgr(bgr[y : y + height, x : x + width])
