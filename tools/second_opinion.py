"""The packaged second opinion out of the published weights of U²-Net-p and BodyPix ×0.5, both converted to ONNX:

python tools/second_opinion.py u2netp.onnx bodypix_050.onnx src/koutu/weights/opinion.onnx

Weights are rounded to half floats, so that the file packs well. Prints the SHA-256 for `koutu.zoo`.
"""

import argparse
from pathlib import Path

import torch

from koutu.files import sha256_of
from koutu.models.second_opinion import SIDE, SecondOpinion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, nargs=2)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    network = SecondOpinion().eval()
    for path in args.weights:
        network.begin_from(path)
    network.half().float()
    torch.onnx.export(
        network, (torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8),), args.out, dynamo=False, opset_version=17,
        input_names=["rgb"], output_names=["things", "people"],
    )  # fmt: skip
    print(sha256_of(args.out))


if __name__ == "__main__":
    main()
