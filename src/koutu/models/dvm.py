"""Video matting with trimaps: earlier frames are aligned to the present one by deformable convolutions, then joined.

After Sun et al., "Deep Video Matting via Spatio-Temporal Alignment and Aggregation", CVPR 2021, in the layout of its
published code. No checkpoint could be had to prove the names of the deformable convolutions' parameters, which follow
the compiled operator's.
Ours differs: frames may come one at a time, with the earlier ones as memory (published: two together, `window`);
deformable convolution is in plain tensor operations; offsets begin at zero (published code overwrites that start by
accident); the global convolutions' borders are the usual ones unless `crossed_padding`; `width` scales all layers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from koutu.models.base import Network
from koutu.nn.deform import ModulatedDeformConv
from koutu.nn.pixels import at_most, check, imagenet, pad_to
from koutu.nn.resnet import RESNET50, bottlenecks

_STRIDE = 32


@dataclass(frozen=True)
class Config:
    """Shape of the network; the defaults are the published one."""

    shift: int = 2  # earlier frames that each frame is joined with
    refine: bool = True
    width: int = 64  # channels at 1/2
    depths: tuple[int, ...] = RESNET50
    crossed_padding: bool = False  # the published code's padding of the second path, which released weights need
    keep_known: bool = True  # alpha is 0 and 1 where the trimap says so


VARIANTS = {
    "corrected": Config(),
    "published": Config(crossed_padding=True),
    "published_unrefined": Config(crossed_padding=True, refine=False),
}


@dataclass  # not frozen: Lightning converts its fields
class TrainingOutputs:
    """pha (N, 1, H, W) in [0, 1]; refined: the same sharpened, or None; state: the next call's memory."""

    pha: Tensor
    refined: Tensor | None
    state: list[Tensor]


class _ConvNorm(nn.Module):
    def __init__(self, inp: int, out: int, kernel: int):
        super().__init__()
        self.conv = nn.Conv2d(inp, out, kernel, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(x)))


class _Encoder(nn.Module):
    """Pictures and trimaps (N, 4, H, W) → features at 1/2, 1/4, 1/8, 1/16 and 1/32."""

    def __init__(self, w: int, depths: tuple[int, ...]):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, w, 7, 2, 3, bias=False), nn.BatchNorm2d(w)
        self.layer1 = bottlenecks(w, w, depths[0])
        self.layer2 = bottlenecks(4 * w, 2 * w, depths[1], 2)
        self.layer3 = bottlenecks(8 * w, 4 * w, depths[2], 2)
        self.layer4 = bottlenecks(16 * w, 8 * w, depths[3], 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = [F.relu(self.bn1(self.conv1(x)))]
        x = F.max_pool2d(features[0], 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            features.append(x := stage(x))
        return features


class _Alignment(nn.Module):
    """A neighbour's feature as seen from the present frame; both (N, C, h, w)."""

    def __init__(self, c: int):
        super().__init__()
        self.off_conv1, self.off_conv2 = nn.Conv2d(2 * c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)
        self.dcnpack = ModulatedDeformConv(c)

    def forward(self, neighbour: Tensor, present: Tensor) -> Tensor:
        pointer = F.leaky_relu(self.off_conv1(torch.cat([neighbour, present], dim=1)), 0.1)
        return self.dcnpack(neighbour, F.leaky_relu(self.off_conv2(pointer), 0.1))


class _ChannelAttention(nn.Module):
    def __init__(self, c: int, reduction: int):
        super().__init__()
        hidden = c // reduction
        self.fc = nn.Sequential(nn.Linear(c, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, c, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        gate = torch.sigmoid(self.fc(x.mean(dim=(2, 3))) + self.fc(x.amax(dim=(2, 3))))
        return x * gate[:, :, None, None]


class _SpatialAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.conv(both))


class _Attention(nn.Module):
    """What matters, then where, of features joined (Woo et al., "CBAM", ECCV 2018); shape kept."""

    def __init__(self, c: int, reduction: int):
        super().__init__()
        self.ca, self.sa = _ChannelAttention(c, reduction), _SpatialAttention()

    def forward(self, x: Tensor) -> Tensor:
        return self.sa(self.ca(x))


class _Fusion(nn.Module):
    """Features of shift + step frames, (shift + step)·N each, → the last step frames'; the deepest are not aligned."""

    def __init__(self, channels: tuple[int, ...], shift: int):
        super().__init__()
        self.shift = shift
        for i, c in enumerate(channels):
            if i < len(channels) - 1:
                self.add_module(f"flow{i}", _Alignment(c))
            self.add_module(f"attn{i}", _Attention((shift + 1) * c, shift + 1))
            self.add_module(f"fuse{i}", _ConvNorm((shift + 1) * c, c, 1))

    def forward(self, features: list[Tensor], n: int) -> list[Tensor]:
        return [self._joined(i, feature, n) for i, feature in enumerate(features)]

    def _joined(self, i: int, feature: Tensor, n: int) -> Tensor:
        count = len(feature) - self.shift * n  # of the present frames, step·N
        present, aligned = feature[-count:], []
        for k in range(self.shift + 1):
            neighbour = feature[k * n : k * n + count]
            deepest = not hasattr(self, f"flow{i}")
            aligned.append(neighbour if deepest else self.get_submodule(f"flow{i}")(neighbour, present))
        joined = self.get_submodule(f"attn{i}")(torch.cat(aligned, dim=1))
        return self.get_submodule(f"fuse{i}")(joined)


class _GlobalConv(nn.Module):
    """A 7×7 view by two pairs of narrow convolutions (Peng et al., "Large Kernel Matters", CVPR 2017); shape kept."""

    def __init__(self, c: int, crossed: bool):
        super().__init__()
        tall, wide = (3, 0), (0, 3)
        first, second = (tall, wide) if crossed else (wide, tall)
        self.conv_l1, self.conv_l2 = nn.Conv2d(c, c, (7, 1), padding=tall), nn.Conv2d(c, c, (1, 7), padding=wide)
        self.conv_r1, self.conv_r2 = nn.Conv2d(c, c, (1, 7), padding=first), nn.Conv2d(c, c, (7, 1), padding=second)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv_l2(self.conv_l1(x)) + self.conv_r2(self.conv_r1(x))


class _Upward(nn.Module):
    """Twice as large by shuffling channels into places, joined with a skip."""

    def __init__(self, inp: int, mid: int, skip: int, out: int):
        super().__init__()
        self.rs, self.deconv = _ConvNorm(inp, 4 * mid, 1), _ConvNorm(mid + skip, out, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.deconv(torch.cat([F.pixel_shuffle(self.rs(x), 2), skip], dim=1))


class _Decoder(nn.Module):
    def __init__(self, channels: tuple[int, ...], crossed: bool):
        super().__init__()
        for i, c in enumerate(channels):
            self.add_module(f"skip{i}", _GlobalConv(c, crossed))
        w = channels[0]
        # channels in, after shuffling, of the skip (at full size the input itself) and out, from fine to coarse
        plan = ((w, w, 4, w), (4 * w, w, w, w), (8 * w, 4 * w, 4 * w, 4 * w), (16 * w, 8 * w, 8 * w, 8 * w))
        for i, sizes in enumerate((*plan, (32 * w, 16 * w, 16 * w, 16 * w))):
            self.add_module(f"deconv{i}", _Upward(*sizes))

    def forward(self, features: list[Tensor], given: Tensor) -> Tensor:
        skips = [self.get_submodule(f"skip{i}")(feature) for i, feature in enumerate(features)]
        x = skips[-1]
        for i in range(len(features) - 1, -1, -1):
            x = self.get_submodule(f"deconv{i}")(x, skips[i - 1] if i else given)
        return x


class _Refine(nn.Module):
    def __init__(self, w: int):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = _ConvNorm(4, w, 3), _ConvNorm(w, w, 3), _ConvNorm(w, w, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(self.conv2(self.conv1(x)))


class DVM(Network):
    """src: (T·N, 3, H, W) RGB in [0, 1] of any size, a clip folded time-major; trimap: (T·N, 1, H, W) of 0, 0.5, 1.

    state: the last `shift` frames' images and trimaps (N, 4·shift, H, W) and how many came. Before the first frame
    stands the first frame. Returns fgr, which is src, pha (T·N, 1, H, W) and the state.
    """

    needs: tuple[str, ...] = ("trimap",)
    stride = 1

    def __init__(self, cfg: Config | None = None):
        super().__init__()
        self.cfg = cfg = cfg or Config()
        w = cfg.width
        channels = (w, 4 * w, 8 * w, 16 * w, 32 * w)
        self.encoder = _Encoder(w, cfg.depths)
        self.fusion = _Fusion(channels, cfg.shift)
        self.decoder = _Decoder(channels, cfg.crossed_padding)
        self.pred_head = nn.Conv2d(w, 1, 3, padding=1)
        if cfg.refine:
            self.refine = _Refine(w)
            self.refine_head = nn.Conv2d(w, 1, 3, padding=1)

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) for images of (H, W): no side over 1920."""
        return at_most(size, 1920)

    def initial_state(self, src: Tensor) -> list[Tensor]:
        """No frame has come yet; for images the size of src (N, 3, H, W)."""
        n, _, height, width = src.shape
        return [src.new_zeros(n, 4 * self.cfg.shift, height, width), src.new_zeros(n)]

    def forward(self, src: Tensor, past: Tensor, count: Tensor, trimap: Tensor) -> tuple[Tensor, ...]:
        out = self.training_outputs(src, past, count, trimap=trimap)
        pha = out.pha if out.refined is None else out.refined
        if self.cfg.keep_known:
            pha = torch.where((trimap > 0) & (trimap < 1), pha, trimap)
        return src, pha, *out.state

    def training_outputs(self, src: Tensor, past: Tensor, count: Tensor, *, trimap: Tensor) -> TrainingOutputs:
        """Alpha before and after sharpening on the same inputs as `forward`, known pixels as the network has them."""
        check(src)
        check(trimap, channels=1, name="trimap")
        n, shift = len(past), self.cfg.shift
        frames = torch.cat([src, trimap], dim=1)
        earlier = torch.cat(past.split(4, dim=1))  # (shift·N, 4, H, W), time-major
        started = (count > 0).repeat(shift).view(-1, 1, 1, 1)
        earlier = torch.where(started, earlier, frames[:n].repeat(shift, 1, 1, 1))
        frames = torch.cat([earlier, frames])
        out = self.window(frames[:, :3], frames[:, 3:], n)
        state = [torch.cat(frames[-shift * n :].split(n), dim=1), count + len(src) // n]
        return TrainingOutputs(out.pha, out.refined, state)

    def window(self, src: Tensor, trimap: Tensor, n: int = 1) -> TrainingOutputs:
        """shift + step frames of n clips, time-major → the last step frames' alphas; published: two of four."""
        height, width = src.shape[2:]
        x = pad_to(torch.cat([imagenet(src), trimap], dim=1), _STRIDE)
        if self.cfg.crossed_padding and min(x.shape[2:]) < 7 * _STRIDE:
            raise ValueError(f"expected sides over 192 with crossed_padding, got {(height, width)}; enlarge the image")
        features = self.fusion(self.encoder(x), n)
        present = x[self.cfg.shift * n :]
        raw = self.pred_head(self.decoder(features, present))
        pha, refined = torch.sigmoid(raw), None
        if self.cfg.refine:
            sharp = self.refine_head(self.refine(torch.cat([present[:, :3], pha], dim=1)))
            refined = torch.sigmoid(raw + sharp)[..., :height, :width]
        return TrainingOutputs(pha[..., :height, :width], refined, [])
