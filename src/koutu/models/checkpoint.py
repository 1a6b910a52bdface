"""Published checkpoints, as people have them, into the networks: strictly, and without running what a file says.

Understood: PyTorch files of tensors, safetensors, Paddle's `.pdparams`; dictionaries that hold the weights under a
name; prefixes of wrappers that held the network while it was trained; MMCV's names where a network knows them.
"""

import io
import pickle
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from koutu.models.table import network, variants
from koutu.types import ModelError

_HOLDERS = ("ema", "state_dict", "model_state_dict", "model", "net", "network", "params_ema", "params", "weights")
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "generator.")
_PADDLE = {"_mean": "running_mean", "_variance": "running_var"}


def load(path: str | Path, name: str, **options: Any) -> nn.Module:
    """The network `name` with the weights of a file, in evaluation mode.

    options: fields of the network's Config, or `variant`. Those that change keys or shapes may be left out: the
    published variant that fits the file is taken. A file saved by koutu brings its own Config. Raises ModelError naming
    every key that is missing, unknown or of another shape; pickles that hold anything but weights are refused unread.
    """
    kind, module = network(name)
    content = read(Path(path))
    if isinstance(content.get("config"), Mapping) and not options:
        options = dict(content["config"])
    state = weights(content)
    if not state:
        raise ModelError(f"{path}: expected a checkpoint with weights, got none; is it another kind of file?")
    state = kind.rename(state)
    return _filled(kind(_best(kind, _candidates(name, module, options), state)), state, path)


def fill(model: nn.Module, path: str | Path) -> nn.Module:
    """A network that is at hand with the weights of a file, as strictly, in evaluation mode."""
    return _filled(model, weights(read(Path(path))), path)


def _filled(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> nn.Module:
    target = model.state_dict()
    state = _completed(state, target)
    if problems := differences(state, target):
        name = type(model).__name__
        raise ModelError(
            f"{path} does not fit {name}: {'; '.join(problems)}; give another file or the options it needs"
        )
    model.load_state_dict(state)
    return model.eval()


def read(path: Path) -> dict[str, Any]:
    """What the file holds: tensors, and plain values beside them. Nothing in it is executed."""
    if not path.is_file():
        raise ModelError(f"expected a checkpoint at {path}, found none; name the file of weights")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        if path.suffix == ".pdparams":
            return _turned(_Arrays(io.BytesIO(path.read_bytes())).load())
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, AttributeError, ModuleNotFoundError) as e:
        reason = str(e).splitlines()[0]
        raise ModelError(
            f"{path} holds more than weights, or is damaged ({reason[:200]}); loading it could run foreign code, so it "
            "was refused. Where you trust it, save its state_dict alone"
        ) from e
    except Exception as e:  # readers of foreign formats raise whatever their parsers meet
        raise ModelError(f"{path} could not be read as a checkpoint ({str(e)[:200]}); is it complete?") from e
    if not isinstance(content, Mapping):
        raise ModelError(f"{path}: expected a dictionary of weights, got {type(content).__name__}; save its state_dict")
    return dict(content)


def weights(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors of a checkpoint by their networks' names: holders opened, wrappers' prefixes stripped."""
    for holder in _HOLDERS:
        inner = content.get(holder)
        if isinstance(inner, Mapping) and any(_is_array(value) for value in inner.values()):
            return weights(inner)
    state = {str(key): torch.as_tensor(value) for key, value in content.items() if _is_array(value)}
    stripped = True
    while stripped and state:
        stripped = False
        for wrapper in _WRAPPERS:
            if all(key.startswith(wrapper) for key in state):
                state, stripped = {key[len(wrapper) :]: value for key, value in state.items()}, True
    return {_from_paddle(key): value for key, value in state.items()}


def differences(state: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> list[str]:
    """What stands between a file's weights and a network's, one sentence a kind; empty if they fit."""
    shared = [key for key in target if key in state]
    shapes = [
        f"{k} {tuple(state[k].shape)}≠{tuple(target[k].shape)}" for k in shared if state[k].shape != target[k].shape
    ]
    kinds = {
        "missing": [key for key in target if key not in state],
        "unknown": [key for key in state if key not in target],
        "of another shape": shapes,
    }
    return [f"{len(keys)} {kind} ({_some(keys)})" for kind, keys in kinds.items() if keys]


def _candidates(name: str, module: Any, options: dict[str, Any]) -> list[Any]:
    options = {key: tuple(v) if isinstance(v, list) else v for key, v in options.items()}
    known = variants(name)
    if (variant := options.pop("variant", None)) is not None:
        if variant not in known:
            raise ModelError(f"expected a variant of {name} out of {', '.join(known)}, got {variant!r}; choose one")
        known = {variant: known[variant]}
    try:
        return [replace(config, **options) for config in known.values()]
    except TypeError as e:
        fields = ", ".join(module.Config.__dataclass_fields__)
        raise ModelError(f"expected options of {name} out of {fields}, got {', '.join(options)}; correct them") from e


def _best(kind: Any, candidates: list[Any], state: Mapping[str, Tensor]) -> Any:
    """The configuration whose keys and shapes agree with most of the file's and leave fewest over."""

    def misfit(config: Any) -> int:
        with torch.device("meta"):
            target = kind(config).state_dict()
        fitting = sum(key in state and state[key].shape == value.shape for key, value in target.items())
        return len(target) + len(state) - 2 * fitting

    if all(config == candidates[0] for config in candidates):  # as a file that brings its own Config says
        return candidates[0]
    return min(candidates, key=misfit)


def _completed(state: dict[str, Tensor], target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Counters of batches, which old files lack and evaluation never reads, added."""
    counters = {key: value for key, value in target.items() if key.endswith("num_batches_tracked") and key not in state}
    return state | counters


def _turned(content: dict[str, Any]) -> dict[str, Any]:
    """Paddle keeps the weights of fully connected layers the other way round."""
    return {key: value.T if _is_array(value) and value.ndim == 2 else value for key, value in content.items()}


def _from_paddle(key: str) -> str:
    head, _, last = key.rpartition(".")
    return f"{head}.{_PADDLE[last]}" if last in _PADDLE else key


def _is_array(value: Any) -> bool:
    return isinstance(value, Tensor) or (type(value).__module__ == "numpy" and hasattr(value, "shape"))


def _some(keys: Iterable[str], count: int = 6) -> str:
    keys = list(keys)
    return ", ".join(keys[:count]) + (f" and {len(keys) - count} more" if len(keys) > count else "")


class _Arrays(pickle.Unpickler):
    """Reads dictionaries of numpy arrays and nothing else."""

    _ALLOWED = frozenset(
        {
            ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
        }
    )  # fmt: skip

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no array")
        return super().find_class(module, name)
