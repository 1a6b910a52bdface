#! /usr/bin/python3.7
"""Portrait matting on a HiLens Kit: the person before the camera, with another background behind.

Exit codes: 0 stopped or the file ended, 1 something unforeseen, 2 settings, 3 camera, 4 model, 5 display, 6 held fast.
"""

import os
import sys
import traceback

import cv2
import hilens
import settings
from camera import Camera, CameraGone, EndOfFile
from matting import Matting, ModelGone
from portrait import Portrait
from timing import Timing
from watch import Watch

SHOWN_IN_VAIN = 30  # pictures in a row that the display may refuse


class DisplayGone(Exception):
    """The display takes no pictures."""


class Screen:
    """The display, of which single failures are borne."""

    def __init__(self, given, workspace):
        path, kind = given["display_path"], given["display"]
        known = {
            "hdmi": (hilens.HDMI,),
            "rtmp": (hilens.RTMP, path),
            "h264": (hilens.H264_FILE, os.path.join(workspace, path)),
        }
        try:
            self._display = hilens.Display(*known[kind])
        except Exception as e:  # CreateError, or what the driver throws
            raise DisplayGone(f"{kind} cannot be opened: {e}") from e
        self._failed = 0

    def show(self, picture):
        """One picture, always of the same size."""
        assert self._display is not None
        try:
            code = self._display.show(picture)
        except Exception as e:
            code = e
        if code is None or (isinstance(code, int) and code == 0):
            self._failed = 0
            return
        self._failed += 1
        hilens.warning(f"display: refused a picture: {code} ({self._failed} in a row)")
        if self._failed >= SHOWN_IN_VAIN:
            raise DisplayGone(f"refused {self._failed} pictures in a row, the last with {code}")

    def close(self):
        """Let the display go; the framework closes its file with it."""
        self._display = None


def work(given, watch):
    """Set up, run until it is time to stop or a file ends, and let everything go."""
    workspace, parts = hilens.get_workspace_path(), []
    card = settings.read_card(hilens.get_model_dir())
    view = settings.view_size(given, card)
    if abs(view[0] * card["height"] / float(view[1] * card["width"]) - 1) > 0.02:
        hilens.warning("the view's aspect is not the network's: people look squeezed to it, and alpha suffers")
    try:
        portrait = Portrait(given, view, (os.path.join(workspace, "data"), settings.HERE))
        matting = Matting(os.path.join(hilens.get_model_dir(), card["model"]), card, given["failures"])
        parts.append(matting)
        camera = Camera(given, watch)
        parts.append(camera)
        screen = Screen(given, workspace)
        parts.append(screen)
        hilens.info("view {} x {}, network {} x {}".format(view[0], view[1], card["width"], card["height"]))
        loop(camera, portrait, matting, screen, Timing(given["log_every"]), watch)
    finally:
        for part in reversed(parts):
            part.close()


def loop(camera, portrait, matting, screen, timing, watch):
    """Frame after frame. Where one gives no composite, the last is shown again: never what is behind people."""
    opened = 0
    try:
        while not watch.stop.is_set():
            watch.beat()
            timing.tick()
            frame = camera.read()
            timing.note("read")
            if frame is None or camera.opened != opened:  # what was remembered is of another moment
                opened = camera.opened
                matting.reset()
            if frame is not None and picture(frame, portrait, matting, timing):
                screen.show(portrait.shown)
                timing.note("show")
                timing.done()
            elif not watch.stop.is_set():
                timing.drop()
                screen.show(portrait.shown)
    finally:
        hilens.info(timing.report())


def picture(frame, portrait, matting, timing):
    """True if there is a new picture in portrait.shown."""
    if portrait.look(frame):
        matting.reset()
    timing.note("preprocess")
    alpha = matting(portrait.view)
    timing.note("infer")
    if alpha is None:
        return False
    portrait.compose(alpha)
    timing.note("composite")
    return True


def console_settings():
    """What the console says, a dict; None if it says nothing."""
    try:
        return hilens.get_skill_config()
    except Exception as e:  # no text at all is no JSON
        hilens.warning(f"settings: the console gave none ({e})")
        return None


def run(watch):
    """The exit code; every way out leads through terminate()."""
    started = False
    try:
        local = settings.read_settings(None)[0]  # the check value is needed before the console can be asked
        code = hilens.init(local["check_value"])
        if code not in (None, 0):
            hilens.error(f"init: error {code}; is the check value the console's?")
            return 2
        started = True
        given, unknown = settings.read_settings(console_settings())
        watch.patience = given["held_seconds"]
        hilens.set_log_level(getattr(hilens, given["log_level"].upper()))
        if unknown:
            hilens.warning("settings not understood: {}".format(", ".join(sorted(unknown))))
        work(given, watch)
        hilens.info("stopped")
        return 0
    except EndOfFile:
        hilens.info("the file has ended")
        return 0
    except settings.SettingsError as e:
        return failed(2, "settings", e)
    except CameraGone as e:
        return failed(3, "camera", e)
    except ModelGone as e:
        return failed(4, "model", e)
    except DisplayGone as e:
        return failed(5, "display", e)
    except Exception:
        return failed(1, "unforeseen", traceback.format_exc())
    finally:
        if started:
            hilens.terminate()


def failed(code, what, why):
    """Tell why the skill ends."""
    hilens.error(f"{what}: {why}")
    return code


def main():
    """Run until a signal asks to stop: the Kit stops skills with SIGTERM."""
    cv2.setNumThreads(2)  # more would take the cores from the framework's own decoding
    watch = Watch()
    code = run(watch)
    watch.close()
    return code


if __name__ == "__main__":
    sys.exit(main())
