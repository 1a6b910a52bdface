"""PyTorch behind the contract of the engines: any network of `koutu.models`, with whatever hints it needs."""

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from koutu.engines.backend import Backend
from koutu.types import ModelError, Rgb

if TYPE_CHECKING:  # what runs a network of another engine imports no PyTorch
    from koutu.models.base import Network


class TorchBackend(Backend):
    """A network of `koutu.models` on a PyTorch device: "cpu", "cuda", "cuda:1", "mps", …; threads 0 for its choice."""

    def __init__(self, network: "Network", name: str, *, device: str = "cpu", threads: int = 0):
        import torch

        if threads:
            torch.set_num_threads(threads)
        try:
            self._device = torch.device(device)
            self._network = network.to(self._device).eval()
        except (RuntimeError, AssertionError) as e:
            raise ModelError(f"expected a device that PyTorch can use, got {device!r} ({e}); use --device cpu") from e
        self._torch = torch
        self.needs: tuple[str, ...] = network.needs
        self.propagates, self.warms_up = network.propagates, not network.propagates
        self.makes_trimaps = network.makes_trimaps
        self.can_recall = network.remembers_alpha and bool(self.initial_state((network.stride, network.stride)))
        self.name = f"{name} · torch {torch.__version__} · {device}"

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """What the network's authors showed it of frames of (H, W)."""
        return self._network.network_size(size)

    def initial_state(self, size: tuple[int, int]) -> list[Any]:
        """Empty memory for network frames of (h, w)."""
        return self._network.initial_state(self._torch.zeros(1, 3, *size, device=self._device))

    def recalled(self, rgb: Rgb, pha: NDArray[np.float32]) -> list[Any]:
        """The memory after a frame whose alpha was `pha` (h, w)."""
        if not self.can_recall:
            return super().recalled(rgb, pha)
        return [self._torch.from_numpy(pha)[None, None].to(self._device)]

    def __call__(
        self, rgb: Rgb, state: list[Any], **hints: NDArray[Any]
    ) -> tuple[NDArray[Any] | None, NDArray[np.float32], list[Any]]:
        given = {name: self._tensor(hint, name) for name, hint in hints.items()}
        src = self._tensor(rgb, "src")
        try:
            with self._torch.inference_mode():
                fgr, pha, *state = self._network(src, *state, **given)
        except RuntimeError as e:  # out of memory, an operator the device lacks
            raise ModelError(f"{self.name}: expected alpha of a frame, got {e}; try a smaller frame") from e
        colours = None
        if fgr is not src:
            colours = (fgr[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().cpu().numpy()
        return colours, self._largest(pha[0, 0].float().cpu().numpy()), state

    def _largest(self, pha: NDArray[np.float32]) -> NDArray[np.float32]:
        """Only the largest connected part of alpha, for networks published with that step."""
        threshold = self._network.largest_above
        if threshold is None:
            return pha
        count, parts, stats, _ = cv2.connectedComponentsWithStats((pha > threshold).astype(np.uint8))
        if count <= 2:  # nothing, or one part
            return pha
        return np.where(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), pha, 0).astype(np.float32)

    def trimap(self, rgb: Rgb) -> NDArray[Any]:
        if not self.makes_trimaps:
            return super().trimap(rgb)
        size = self.network_size((rgb.shape[0], rgb.shape[1]))
        small = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)
        with self._torch.inference_mode():
            classes = self._network.trimap(self._tensor(np.asarray(small), "src")).argmax(dim=1)[0]
        levels = np.array([0, 128, 255], np.uint8)[classes.cpu().numpy()]
        return np.asarray(cv2.resize(levels, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_NEAREST))

    def _tensor(self, picture: NDArray[Any], name: str) -> Any:
        """uint8 (h, w[, c]) → (1, c, h, w) in [0, 1]; the unknown of a trimap is exactly 0.5."""
        tensor = self._torch.from_numpy(np.ascontiguousarray(picture)).to(self._device)
        tensor = tensor[..., None] if tensor.ndim == 2 else tensor
        tensor = tensor.permute(2, 0, 1)[None].float()
        return (tensor / 127.5).round() / 2 if name == "trimap" else tensor / 255
