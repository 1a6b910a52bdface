"""Learning from another network: the student comes nearer to its teacher, the whole of it or one branch alone."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from koutu.media.image import read_image  # noqa: E402
from koutu.models.modnet import Config, MODNet  # noqa: E402
from koutu.models.tmodnet import Config as TMODNetConfig  # noqa: E402
from koutu.models.tmodnet import TMODNet  # noqa: E402
from koutu.train.batch import Batch  # noqa: E402
from koutu.train.objectives import build_objective  # noqa: E402
from koutu.train.objectives.distil import Distillation  # noqa: E402
from koutu.types import InputError  # noqa: E402
from koutu.zoo import SAMPLE  # noqa: E402

TEACHER = "koutu-small"


@pytest.fixture(scope="module")
def batch():
    """The packaged lake, where nobody is, and what is left of it in the dark."""
    lake = torch.from_numpy(np.array(read_image(SAMPLE / "lake.jpg")))[:512:4, :512:4].permute(2, 0, 1)[None] / 255
    src = torch.cat([lake, lake / 2])
    nobody = torch.zeros(2, 1, *src.shape[-2:])
    return Batch(src, nobody, src, src, nobody, {})


@pytest.mark.parametrize("alone", [False, True])
def test_a_student_comes_nearer_to_its_teacher(batch, alone):
    network = TMODNet(TMODNetConfig(semantic_size=64, detail_channels=(4, 8), detail_blocks=1))
    objective = build_objective("distil", network, {"teacher": TEACHER, "mirrored": True, "alone": alone, "mix": 0.0})
    optimiser = torch.optim.Adam(network.parameters(), 8e-3)
    history = []
    for _ in range(10):
        loss = torch.stack(list(objective(network, batch, 0.0).values())).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    assert history[-1] < 0.5 * history[0]
    assert alone == all(p.grad is None for p in network.detail_branch.parameters())


def test_the_teacher_finds_nobody_at_the_lake(batch):
    network = TMODNet(TMODNetConfig(semantic_size=64, detail_channels=(4, 8), detail_blocks=1))
    objective = build_objective("distil", network, {"teacher": TEACHER})
    assert isinstance(objective, Distillation)
    answers = objective.answers(batch.src)
    assert answers.shape == (2, 1, *(side // 8 for side in batch.src.shape[-2:])) and answers.mean() < 0.05


def test_what_cannot_be_taught_is_refused():
    network = MODNet(Config(resnet_channels=(4, 4, 4, 4, 4), encoder="resnet", hr_channels=4))
    with pytest.raises(InputError, match="can stand alone, got MODNet"):
        build_objective("distil", network, {"teacher": TEACHER, "alone": True})
    with pytest.raises(InputError, match="expected a teacher"):
        build_objective("distil", network)
