"""A mask, or a trimap, carried through a video: every frame asks a memory of past frames what it shows.

After Oh et al., "Video Object Segmentation using Space-Time Memory Networks", ICCV 2019, in the layout of its published
code, whose checkpoints load here key by key.
Ours differs: the memory is a bank of fixed size (the first annotated frame, every fifth since, oldest given up, and the
frame before), where the published one grows; with `objects=2` foreground and unknown of a trimap are the two objects,
after the way of trimap propagation in TCVOM (Zhang et al., ACM MM 2021).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.memory import read, write
from koutu.nn.pixels import check, imagenet
from koutu.nn.resnet import bottlenecks

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_STRIDE = 16


@dataclass(frozen=True)
class Config:
    """Shape of the network and of its memory; the defaults are the published ones but for the number of slots."""

    objects: Literal[1, 2] = 1  # 1: a person's mask; 2: a trimap, as foreground and unknown
    slots: int = 8  # frames held: the first, the latest of every fifth, and the one before
    every: int = 5  # frames between those kept
    width: int = 64  # channels of the encoders' first layer


VARIANTS = {"mask": Config(), "trimap": Config(objects=2)}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """logits (N, objects + 1, H, W), background first; state: the next frame's memory, not detached."""

    logits: Tensor
    state: list[Tensor]


class _Encoder(nn.Module):
    """ResNet-50 to 1/16 on an image, and for memory on masks; → features at 1/16, 1/8 and 1/4."""

    def __init__(self, w: int, *, memory: bool):
        super().__init__()
        if memory:
            self.conv1_m = nn.Conv2d(1, w, 7, 2, 3, bias=False)
            self.conv1_o = nn.Conv2d(1, w, 7, 2, 3, bias=False)
        self.conv1, self.bn1 = nn.Conv2d(3, w, 7, 2, 3, bias=False), nn.BatchNorm2d(w)
        self.res2 = bottlenecks(w, w, 3)
        self.res3 = bottlenecks(4 * w, 2 * w, 4, 2)
        self.res4 = bottlenecks(8 * w, 4 * w, 6, 2)
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))  # in published files; `imagenet` has them
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))

    def forward(self, src: Tensor, mask: Tensor | None = None, others: Tensor | None = None) -> list[Tensor]:
        x = self.conv1(imagenet(src))
        if mask is not None and others is not None:
            x = x + self.conv1_m(mask) + self.conv1_o(others)
        at4 = self.res2(F.max_pool2d(F.relu(self.bn1(x)), 3, 2, 1))
        at8 = self.res3(at4)
        return [self.res4(at8), at8, at4]


class _KeyValue(nn.Module):
    def __init__(self, inp: int, key: int, value: int):
        super().__init__()
        self.Key, self.Value = nn.Conv2d(inp, key, 3, padding=1), nn.Conv2d(inp, value, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.Key(x), self.Value(x)


class _Residual(nn.Module):
    """Two activated 3×3 convolutions added to their input, without norm."""

    def __init__(self, c: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(x))))


class _Refine(nn.Module):
    def __init__(self, inp: int, c: int):
        super().__init__()
        self.convFS, self.ResFS, self.ResMM = nn.Conv2d(inp, c, 3, padding=1), _Residual(c), _Residual(c)

    def forward(self, feature: Tensor, coarse: Tensor) -> Tensor:
        return self.ResMM(self.ResFS(self.convFS(feature)) + _enlarged(coarse, 2))


class _Decoder(nn.Module):
    def __init__(self, w: int):
        super().__init__()
        c = 4 * w
        self.convFM, self.ResMM = nn.Conv2d(4 * c, c, 3, padding=1), _Residual(c)
        self.RF3, self.RF2 = _Refine(8 * w, c), _Refine(4 * w, c)
        self.pred2 = nn.Conv2d(c, 2, 3, padding=1)

    def forward(self, x: Tensor, at8: Tensor, at4: Tensor) -> Tensor:
        x = self.RF2(at4, self.RF3(at8, self.ResMM(self.convFM(x))))
        return _enlarged(self.pred2(F.relu(x)), 4)


def _enlarged(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


class STM(Network):
    """src: (T·N, 3, H, W) RGB in [0, 1] of any size, a clip folded time-major.

    mask, or trimap with `objects=2`: (T·N, 1, H, W) in [0, 1] where a frame is annotated, −1 where not; without it no
    frame is. state: keys, values, used slots, the frame before's probabilities, frames since the first annotation.
    Returns fgr, which is src, pha (T·N, 1, H, W), for a trimap 0, 0.5 and 1 weighted by probability, and the state.
    """

    stride = 1
    propagates = True

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        w = cfg.width
        self.key_channels, self.value_channels = 2 * w, 8 * w
        self.Encoder_M, self.Encoder_Q = _Encoder(w, memory=True), _Encoder(w, memory=False)
        self.KV_M_r4 = _KeyValue(16 * w, self.key_channels, self.value_channels)
        self.KV_Q_r4 = _KeyValue(16 * w, self.key_channels, self.value_channels)
        self.Decoder = _Decoder(w)
        self.needs: tuple[str, ...] = ("mask",) if cfg.objects == 1 else ("trimap",)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): the shorter side at most 480, as the network was used."""
        scale = min(1.0, 480 / min(size))
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def initial_state(self, src: Tensor) -> list[Tensor]:
        """An empty bank for images the size of src (N, 3, H, W)."""
        n, _, height, width = src.shape
        h, w = (-(-side // _STRIDE) for side in (int(height), int(width)))
        objects, slots = self.cfg.objects, self.cfg.slots
        keys = src.new_zeros(n * objects, self.key_channels, slots, h, w)
        values = src.new_zeros(n * objects, self.value_channels, slots, h, w)
        return [keys, values, src.new_zeros(n, slots), src.new_zeros(n, objects, height, width), src.new_zeros(n)]

    def forward(
        self, src: Tensor, *state: Tensor, mask: Tensor | None = None, trimap: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        given = mask if trimap is None else trimap
        frames, phas = src.split(len(state[-1])), []
        hints = [None] * len(frames) if given is None else given.split(len(state[-1]))
        for frame, hint in zip(frames, hints, strict=True):
            probabilities, state = self._step(frame, state, hint)
            weight = 1.0 if self.cfg.objects == 1 else 0.5
            unknown = 0 if self.cfg.objects == 1 else weight * probabilities[:, 1:]
            phas.append(probabilities[:, :1] + unknown)
        return src, torch.cat(phas).clamp(0, 1), *state

    def training_outputs(self, src: Tensor, *state: Tensor, annotation: Tensor | None = None) -> TrainingOutputs:
        """One frame (N, 3, H, W): logits from the memory, then the frame is memorised with what was predicted.

        annotation: the objects' true masks (N, objects, H, W), where the frame begins a clip.
        """
        logits, probabilities = self._predicted(src, state)
        return TrainingOutputs(logits, self._remembered(src, state, probabilities, annotation))

    def _step(
        self, frame: Tensor, state: tuple[Tensor, ...] | list[Tensor], hint: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        _, probabilities = self._predicted(frame, state)
        annotation = None
        if hint is not None:
            said = hint
            if self.cfg.objects == 2:
                said = torch.cat([hint > 0.75, (hint > 0.25) & (hint <= 0.75)], dim=1).to(frame.dtype)
                said = torch.where(hint >= 0, said, hint)
            annotation = said
            probabilities = torch.where(hint >= 0, said, probabilities)
        return probabilities, tuple(self._remembered(frame, state, probabilities, annotation))

    def _predicted(self, frame: Tensor, state: tuple[Tensor, ...] | list[Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (N, objects + 1, H, W) and the objects' probabilities; 0 as long as nothing is remembered."""
        keys, values, used, _, _ = state
        logits = self.segment(frame, keys, values, used)
        known = (used.sum(dim=1) > 0).view(-1, 1, 1, 1)
        return logits, torch.where(known, logits.softmax(dim=1)[:, 1:], 0.0)

    def _remembered(
        self, frame: Tensor, state: tuple[Tensor, ...] | list[Tensor], masks: Tensor, annotation: Tensor | None
    ) -> list[Tensor]:
        """The bank with this frame as "the frame before", after the one before was kept or given up.

        Slot 0 holds the first annotated frame, the last slot the frame before unless that is kept anyway; the others
        take turns.
        """
        keys, values, used, _, count = state
        started = count > 0
        if annotation is not None:
            started = started | (annotation >= 0).flatten(1).any(dim=1)
        key, value = self.memorize(frame, masks)
        slots = self.cfg.slots
        ring = max(1, slots - 2)
        turn = torch.div(count, self.cfg.every, rounding_mode="floor")
        kept = torch.where(count == 0, torch.zeros_like(count), 1 + (turn - 1).remainder(ring))
        kept = torch.where(count.remainder(self.cfg.every) == 0, kept, -1.0)
        last = torch.full_like(count, slots - 1)
        for slot, counts in ((kept, torch.ones_like(count)), (last, (kept < 0).to(count.dtype))):
            slot = torch.where(started, slot, -1.0)
            each = slot.repeat_interleave(self.cfg.objects)
            keys, values = write(keys, each, key), write(values, each, value)
            used = write(used[:, None], slot, counts[:, None])[:, 0]
        return [keys, values, used, masks, count + started.to(count.dtype)]

    def memorize(self, frame: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """frame (N, 3, H, W), objects' masks (N, K, H, W) → keys and values (N·K, C, h, w), object by object."""
        check(frame)
        n, objects = masks.shape[:2]
        frame, masks = _padded(frame), _padded(masks)
        others = (masks.sum(dim=1, keepdim=True) - masks).clamp(0, 1)
        frames = frame.repeat_interleave(objects, dim=0)
        deep, _, _ = self.Encoder_M(frames, *(x.reshape(n * objects, 1, *x.shape[2:]) for x in (masks, others)))
        return self.KV_M_r4(deep)

    def segment(self, frame: Tensor, keys: Tensor, values: Tensor, used: Tensor | None = None) -> Tensor:
        """frame (N, 3, H, W), banks (N·K, C, S, h, w) → logits (N, K + 1, H, W), background first.

        Every object is found by itself; the background is where none is, and softmax over the logits joins them.
        """
        check(frame)
        n, objects = len(frame), len(keys) // len(frame)
        deep, at8, at4 = self.Encoder_Q(_padded(frame))
        query, seen = (x.repeat_interleave(objects, dim=0) for x in self.KV_Q_r4(deep))
        used = None if used is None else used.repeat_interleave(objects, dim=0)
        x = torch.cat([read(query, keys, values, used), seen], dim=1)
        skips = [x.repeat_interleave(objects, dim=0) for x in (at8, at4)]
        alone = self.Decoder(x, *skips).softmax(dim=1)[:, 1].unflatten(0, (n, objects))
        joined = torch.cat([(1 - alone).prod(dim=1, keepdim=True), alone], dim=1).clamp(1e-7, 1 - 1e-7)
        return _cropped(torch.log(joined / (1 - joined)), frame)


def _margins(x: Tensor) -> tuple[int, int, int, int]:
    """Left, right, top, bottom: what is missing to multiples of 16, half on each side."""
    height, width = x.shape[2:]
    rows = (height + _STRIDE - 1) // _STRIDE * _STRIDE - height
    columns = (width + _STRIDE - 1) // _STRIDE * _STRIDE - width
    return columns // 2, columns - columns // 2, rows // 2, rows - rows // 2


def _padded(x: Tensor) -> Tensor:
    return F.pad(x, _margins(x))


def _cropped(x: Tensor, like: Tensor) -> Tensor:
    left, _, top, _ = _margins(like)
    return x[:, :, top : top + like.shape[2], left : left + like.shape[3]]
