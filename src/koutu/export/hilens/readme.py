"""The README that a skill's folder carries: how its model is built, what is uploaded, and how to try it first."""

from pathlib import Path

from koutu.export.hilens.card import SkillCard

_TEXT = """\
# {name}: portrait matting on a HiLens Kit

What is here:

    main.py, *.py          the skill; Python 3.7, numpy and cv2, as the Kit has them
    config.json            its settings; the skill configuration of the console goes before them
    card.json              what the model is like; also in model/, which counts if both are there
    model/{name}.om        the network; {om}
    workspace/data/        pictures for the background
    build/                 what the .om is built from, with a README.md of its own; not uploaded

## Try it on a computer

    python -m koutu.hilens_simulator . --video talk.mp4 -o shown.mp4

takes build/{name}.onnx and build/aipp.cfg in place of the .om.

## Build the .om

The network takes {inputs}, in this order, and gives {outputs}.

{commands}

## Bring it to the Kit

1. Put {name}.om into model/, or import it in the console as a model and choose it for the skill; then model/ may be
   without it, and card.json beside main.py counts.
2. Upload the archive, with main.py at its root, as a new skill: language Python 3.7, check value as in config.json
   (`check_value`), run file main.py. In HiLens Studio: its files into src/, those of model/ into model/, those of
   workspace/data/ into data/.
3. Set what differs from config.json in the skill's configuration: names and values as there; text will do for numbers.

## Settings

{settings}

Exit codes: 0 stopped or the file ended, 1 something unforeseen, 2 settings, 3 camera, 4 model, 5 display, 6 a call
into the framework did not come back.
"""

_ARTICLE = """\
# {name}: a portrait matting network for run(work_path)

What is here:

    main.py, utils.py      run(work_path) and preprocess; put your own in their place. Python 3.7, numpy and cv2
    model/{name}.om        the network; {om}
    model/card.json        its size, what it takes and gives
    workspace/data/        background.jpg
    build/                 what the .om is built from, with a README.md of its own; not uploaded

## The network

It takes {inputs} and gives {outputs}: alpha, {size} float32, 0 to 1. It has no memory.

    outputs = model.infer([picture.flatten()])    # uint8
    alpha = outputs[0].reshape({height}, {width})

## Try it on a computer

    python -m koutu.hilens_simulator . --video talk.mp4 -o shown.mp4

takes build/{name}.onnx and build/aipp.cfg in place of any .om that main.py names, and calls run if main.py only
defines it.

## Build the .om

{commands}

Put {name}.om into model/ and upload the archive as a new skill, language Python 3.7, with the check value that
`hilens.init` is given.
"""

_HELP = {
    "check_value": "must equal the console's",
    "camera": "empty: built in; 0: USB; the name of a camera; rtsp://…; a file",
    "camera_width": "scaled while it is read, in 16s; 0: as it comes. Not for built-in and USB cameras",
    "camera_height": "in 2s",
    "camera_seconds": "without a picture until the skill gives up; 0: never",
    "camera_wait": "milliseconds before a lost camera is opened again, doubled up to 16 s",
    "mirror": "left and right changed over, as people know themselves",
    "view_width": "what is cut from the middle and shown; 0: the network's aspect, 640 the longer side",
    "view_height": "likewise",
    "scaling": "cpu, or device: the Kit's Preprocessor",
    "background": "#rrggbb, blur, camera (no change), or a picture in workspace/data",
    "blur": "per cent of the view's shorter side",
    "layout": "side_by_side: camera | composite; full: the composite alone",
    "display": "hdmi, rtmp, h264",
    "display_path": "rtmp://…, or the file, in the workspace unless absolute",
    "failures": "inferences in a row before the model is loaded again; as many after that end the skill",
    "held_seconds": "in one call into the framework until the skill ends itself; 0: never",
    "log_every": "frames between two lines of timing",
    "log_level": "debug, info, warning, error",
}


def readme(card: SkillCard, settings: dict, folder: Path) -> str:
    """The text for a skill in `folder`, whose build/ and model/ are there; the article's has no settings."""
    has_model = (folder / "model" / f"{card.name}.om").is_file()
    rows = [f"| {name} | {value!r} | {_HELP[name]} |" for name, value in settings.items()]
    height, width = card.size
    sizes = {"nv21": f"{width * height * 3 // 2} bytes of NV21", "rgb": f"{width * height * 3} bytes of RGB"}
    values = card.values()
    shown = {name: f"{name} ({'×'.join(map(str, shape))} float32)" for name, shape in values["shapes"].items()}
    shown["src"] = f"src ({sizes[card.source]}, {width}×{height})"
    lines = _commands(folder / "build") or ["(nothing to build it from was given)"]
    return (_TEXT if settings else _ARTICLE).format(
        size=f"{height}×{width}",
        height=height,
        width=width,
        name=card.name,
        om="is here" if has_model else "to be built, see below",
        inputs=", ".join(shown[name] for name in card.inputs),
        outputs=", ".join(card.outputs),
        commands="\n".join(f"    {line}".rstrip() for line in lines),
        settings="\n".join(["| setting | here | |", "|---|---|---|", *rows]),
    )


def _commands(build: Path) -> list[str]:
    """What the scripts in build/ run, each under its name."""
    lines: list[str] = []
    for script in sorted(build.glob("*.sh"), key=lambda path: ("kit" not in path.name, path.name)):
        text = script.read_text("utf-8").splitlines()
        run = [line for line in text if line and not line.startswith(("#!", "set ", "cd ", "command -v "))]
        lines += [f"# build/{script.name}", *run, ""]
    return lines[:-1]
