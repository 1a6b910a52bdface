"""Two networks of others that are asked about a picture: one knows things as a whole, the other knows people.

U²-Net-p (Qin et al., Pattern Recognition 2020) finds what stands out of a picture, with all that belongs to it, down to
tufts of hair; whether that is somebody it was never taught. BodyPix ×0.5 (Google) knows people of every kind, but
coarsely. `koutu.matting.second_opinion` makes of it what both say of a matte. Nothing was learned here.
"""

from pathlib import Path

from torch import Tensor, nn

from koutu.models import bodypix, u2net
from koutu.nn.mobilenetv1 import CHANNELS, MobileNetV1
from koutu.nn.pixels import imagenet, resize

SIDE = 256  # both lose people in smaller pictures


class SecondOpinion(nn.Module):
    """A picture (N, SIDE, SIDE, 3) uint8 → logits of things that stand out and of people, both (N, 1, SIDE, SIDE)."""

    def __init__(self) -> None:
        super().__init__()
        self.things = u2net.U2Net(u2net.SMALL)
        for module in self.things.modules():
            if isinstance(module, u2net.ConvNormRelu):
                module.bn_s1 = nn.Identity()  # the convolutions have it in them
        self.people = MobileNetV1()
        self.head = nn.Conv2d(CHANNELS[-1], 1, 1)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        src = rgb.permute(0, 3, 1, 2).float() / 255
        brightest = src.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-6)
        things = self.things.heads(imagenet(src / brightest)).fused
        return things, resize(self.head(self.people(src)[-1]), things)

    def begin_from(self, path: Path) -> None:
        """Fill one of both from its published weights as an ONNX file; raises ModelError for any other file."""
        if bodypix.is_bodypix(path):
            self.people.load_state_dict(bodypix.from_onnx(path))
            self.head.load_state_dict(bodypix.head_from_onnx(path))
        else:
            self.things.load_state_dict({k: x for k, x in u2net.from_onnx(path).items() if ".bn_s1." not in k})
