"""The network on the accelerator, with its previous alpha handed back, and what to do when it fails."""

import cv2
import hilens
import numpy as np
import nv21

MEANINGS = {
    16: "data could not be sent to the accelerator",
    17: "inference failed; mostly the inputs are not of the sizes that the model was built for",
    18: "the source's size is outside the limits",
    19: "the target's size is outside the limits",
    23: "a wrong parameter",
}


class ModelGone(Exception):
    """The model cannot be loaded, or failed again after it was loaded anew."""


class Matting:
    """View (NV21) to alpha. card: see settings.read_card; failures: in a row, that make it load the model anew."""

    def __init__(self, path, card, failures):
        self.path, self.card, self.limit = path, card, failures
        self.width, self.height = card["width"], card["height"]
        self._small = nv21.empty(self.width, self.height)
        self._rgb = np.empty((self.height, self.width, 3), np.uint8)
        self._states = {name: np.zeros(_count(card["shapes"][name]), np.float32) for name in card["states"]}
        source = self._small if card["source"] == "nv21" else self._rgb
        self._inputs = [source.reshape(-1) if name == "src" else self._states[name] for name in card["inputs"]]
        self._pha = np.empty((self.height, self.width), np.float32)
        self._alpha = np.empty((self.height, self.width), np.uint8)
        self._fresh, self._failed, self._reloaded = True, 0, False
        self._model = self._loaded()

    def reset(self):
        """Forget the past: the alpha before is empty."""
        for name in self._states:
            self._states[name].fill(0)
        self._fresh = True

    def __call__(self, view):
        """Alpha (h, w) uint8 in the network's size, valid until the next call; None if inference failed."""
        nv21.scale(nv21.planes(view), self._small)
        if self.card["source"] == "rgb":
            cv2.cvtColor(self._small, cv2.COLOR_YUV2RGB_NV21, dst=self._rgb)
        if self._fresh and self._states and self._infer() is None:  # a network with a memory sees more when it
            return None  # looks twice
        pha = self._infer()
        if pha is None:
            return None
        self._fresh, self._failed, self._reloaded = False, 0, False
        # Half floats may end a little below nought, of which convertScaleAbs would make a little above.
        np.maximum(pha, 0, out=self._pha)
        cv2.convertScaleAbs(self._pha, dst=self._alpha, alpha=255)
        return self._alpha

    def close(self):
        """Let the model go."""
        self._model = None

    def _infer(self):
        """Alpha (h, w) float32; the states filled with what came. None after a failure."""
        assert self._model is not None
        try:
            result = self._model.infer(self._inputs)
        except Exception as e:
            return self._note(f"infer raised {type(e).__name__}: {e}")
        if not isinstance(result, (list, tuple)):
            meaning = MEANINGS.get(result, "no meaning is known")
            sizes = ", ".join(f"{x.size} {x.dtype}" for x in self._inputs)
            return self._note(f"infer returned error {result}: {meaning} (given: {sizes})")
        names = self.card["outputs"]
        if len(result) != len(names):
            return self._note(f"expected {len(names)} outputs, got {len(result)}")
        outputs = dict((names[i], np.asarray(result[i], np.float32).reshape(-1)) for i in range(len(names)))
        pha = outputs[self.card["alpha"]]
        if pha.size != self.width * self.height:
            return self._note(f"expected alpha of {self.width * self.height} numbers, got {pha.size}")
        if not all(np.isfinite(outputs[name].sum()) for name in names):
            return self._note("expected numbers, got some that are infinite or none")
        for name in self._states:
            output = outputs[self.card["states"][name]]
            if output.size != self._states[name].size:
                return self._note(f"expected {self._states[name].size} for {name}, got {output.size}")
            self._states[name][:] = output
        return pha.reshape(self.height, self.width)

    def _note(self, problem):
        """Log a failure; after `failures` in a row load the model anew, and the next time give up."""
        self._failed += 1
        hilens.error(f"model: {problem} ({self._failed} in a row)")
        self.reset()
        if self._failed < self.limit:
            return None
        if self._reloaded:
            raise ModelGone(f"{self._failed} failures in a row, also after loading it anew: {problem}")
        hilens.warning(f"model: {self._failed} failures in a row, loading it anew")
        self._failed, self._reloaded = 0, True
        self._model = None  # the old one must go first: memory holds one
        self._model = self._loaded()
        return None

    def _loaded(self):
        try:
            return hilens.Model(self.path)
        except Exception as e:  # CreateError, or what the driver throws
            raise ModelGone(f"{self.path} cannot be loaded: {e}") from e


def _count(shape):
    count = 1
    for side in shape:
        count *= side
    return count
