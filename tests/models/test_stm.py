"""Space-Time Memory against reference outputs of the published code, and its bounded bank against the unbounded one."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from support.hashed import assert_equals, fill, signature, uniform  # noqa: E402

from koutu.models.stm import STM, Config  # noqa: E402
from koutu.nn.memory import read, write  # noqa: E402

GOLDEN = json.loads((Path(__file__).parent.parent / "golden" / "stm.json").read_text())
TINY = Config(width=4, slots=4, every=2)


def test_state_dict_is_the_published_one():
    with torch.device("meta"):
        assert signature(STM()) == GOLDEN["state_dicts"]["stm"]


@torch.no_grad()
def test_two_objects_match_the_published_code():
    model = STM().eval()
    buffers = {k: v.clone() for k, v in model.state_dict().items() if k.endswith((".mean", ".std"))}
    fill(model, gain=0.8)
    model.load_state_dict(buffers, strict=False)
    f0, f1 = (uniform(f"in:{name}", 1, 3, 100, 134).float() for name in ("f0", "f1"))
    masks = torch.zeros(1, 2, 100, 134)
    masks[0, 0, 20:70, 10:60] = 1
    masks[0, 1, 40:90, 70:120] = 1
    key, value = model.memorize(f0, masks)
    expected = GOLDEN["fixtures"]["stm"]
    assert_equals(key[None, :, :, None], expected["key_obj1_2"], rel=1e-3)
    assert_equals(value[None, :, :, None], expected["value_obj1_2"], rel=1e-3)
    assert_equals(model.segment(f1, key[:, :, None], value[:, :, None]), expected["logit_bg_1_2"], rel=1e-3)


def test_reading_is_a_softmax_over_the_used_places():
    query, keys, values = torch.rand(1, 3, 2, 2), torch.rand(1, 3, 4, 2, 2), torch.rand(1, 5, 4, 2, 2)
    used = torch.tensor([[1.0, 0, 1, 0]])
    some = read(query, keys, values, used)
    torch.testing.assert_close(some, read(query, keys[:, :, [0, 2]], values[:, :, [0, 2]]))
    flat_keys = keys[0, :, [0, 2]].reshape(3, -1)
    weights = torch.softmax(flat_keys.T @ query[0, :, 1, 0] / 3**0.5, dim=0)
    torch.testing.assert_close(some[0, :, 1, 0], values[0, :, [0, 2]].reshape(5, -1) @ weights)


def test_writing_changes_one_slot_or_none():
    bank, item = torch.rand(2, 3, 4, 2, 2), torch.rand(2, 3, 2, 2)
    out = write(bank, torch.tensor([1.0, -1.0]), item)
    assert torch.equal(out[0, :, 1], item[0]) and torch.equal(out[1], bank[1])
    assert torch.equal(out[0, :, [0, 2, 3]], bank[0, :, [0, 2, 3]])


@torch.no_grad()
@pytest.mark.parametrize("objects", [1, 2])
def test_the_bank_holds_the_first_the_latest_kept_and_the_frame_before(objects):
    model = STM(Config(objects=objects, width=4, slots=4, every=2)).eval()
    clip = torch.rand(9, 3, 32, 48)
    hint = torch.full((9, 1, 32, 48), -1.0)
    hint[1] = (torch.rand(1, 32, 48) > 0.5).float()
    name = "mask" if objects == 1 else "trimap"
    state = model.initial_state(clip[:1])
    whole = model(clip, *state, **{name: hint})
    phas = []
    for t in range(9):
        _, pha, *state = model(clip[t : t + 1], *state, **{name: hint[t : t + 1]})
        phas.append(pha)
    torch.testing.assert_close(whole[1], torch.cat(phas))
    assert not whole[1][0].any() and torch.equal(whole[1][1], hint[1])
    keys, _, used, last, count = state
    assert count.item() == 8 and used.tolist() == [[1, 1, 1, 1]]
    first = hint[1:2] if objects == 1 else torch.cat([hint[1:2] > 0.75, (hint[1:2] > 0.25) & (hint[1:2] < 0.75)], 1)
    torch.testing.assert_close(keys[:, :, 0], model.memorize(clip[1:2], first.float())[0])
    torch.testing.assert_close(keys[:, :, 3], model.memorize(clip[8:9], last)[0])


@torch.no_grad()
def test_a_bank_that_is_not_full_reads_as_the_unbounded_one():
    model = STM(Config(width=4, slots=8, every=1)).eval()
    clip, mask = torch.rand(4, 3, 32, 32), (torch.rand(1, 1, 32, 32) > 0.5).float()
    state = model.initial_state(clip[:1])
    bank, previous, expected = [], mask, mask
    for t in range(4):
        hint = {"mask": mask} if t == 0 else {}
        if t:
            keys, values = (torch.stack(parts, dim=2) for parts in zip(*bank, strict=True))
            expected = model.segment(clip[t : t + 1], keys, values).softmax(dim=1)[:, 1:]
        _, pha, *state = model(clip[t : t + 1], *state, **hint)
        if t:
            torch.testing.assert_close(pha, expected)
            previous = pha
        bank.append(model.memorize(clip[t : t + 1], previous))


def test_gradients_flow_through_the_memory():
    model = STM(TINY)
    clip = torch.rand(3, 3, 32, 32)
    mask = (torch.rand(1, 1, 32, 32) > 0.5).float()
    state = model.training_outputs(clip[:1], *model.initial_state(clip[:1]), annotation=mask).state
    logits = model.training_outputs(clip[1:2], *state).logits
    logits[:, 1].sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert not without
