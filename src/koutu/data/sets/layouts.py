"""The folders of the field's data sets as tables: which files, named how, are which part of an example.

A template names a file without its ending: {id} stands for part of a name, {frame} and {index} for digits, {path} for
any folders and a name, (a|b) for one of several words and (a|b)? for one or none. Parts belong together where the
fields they share are equal; the first part of a form is the one that every example has.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """One form in which a split circulates. parts: role → template; optional: parts that may be missing as a whole."""

    parts: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    videos: bool = False  # the files are videos, a clip each

    @property
    def required(self) -> list[str]:
        """Roles that must be there."""
        return [role for role in self.parts if role not in self.optional]

    @property
    def cutouts(self) -> bool:
        """Foregrounds and alphas that are still to be composed."""
        return not {"src", "bgr"} & set(self.required)


Splits = Mapping[str, tuple[Form, ...]]  # those that "auto" prefers come first; of the forms the first that is there


_MASK_ENDINGS = ("_mask", "-mask", "_seg", "-seg", "_label", "-label", "_gt", "-gt")


def mask_of(stem: str) -> str:
    """The name of the image that a mask of this name belongs to; the name itself if it says nothing of one."""
    return next(
        (stem[: -len(end)] for end in _MASK_ENDINGS if stem.lower().endswith(end) and len(stem) > len(end)), stem
    )


def form(optional: str = "", *, inside: str = "", **parts: str) -> Form:
    """A form whose templates lie in the folder `inside`."""
    lead = f"{inside}/" if inside else ""
    return Form({role: lead + path for role, path in parts.items()}, frozenset(optional.split()))


def videos(fgr: str, pha: str) -> Form:
    """Cut-outs whose colours and alphas are a video each."""
    return Form({"fgr": fgr, "pha": pha}, videos=True)


def _composition_1k(folder: str) -> tuple[Form, ...]:
    merged, trimap = "(merged|comp)/{id}_{index}", "(trimaps|trimap)/{id}_{index}"
    licensed = "(Adobe-licensed images|Adobe_licensed_images)"
    return (
        form("trimap", inside=folder, src=merged, pha="alpha_copy/{id}_{index}", trimap=trimap),
        form("trimap", inside=folder, src=merged, pha=f"{licensed}/alpha/{{id}}", trimap=f"{licensed}/{trimap}"),
        form("trimap", inside=folder, src=merged, pha="alpha/{id}", trimap=trimap),
        form(inside=folder, fgr="{source}/fg/{id}", pha="{source}/alpha/{id}"),
        form(inside=folder, fgr="(fg|fgr)/{id}", pha="(alpha|pha)/{id}"),
    )


def _distinctions_646(folder: str) -> tuple[Form, ...]:
    return (
        form("fgr bgr", inside=folder, src="Image/{id}", pha="GT/{id}", fgr="FG/{id}", bgr="BG/{id}"),
        form(inside=folder, fgr="FG/{id}", pha="GT/{id}"),
        form(inside=f"{folder}_ori", fgr="Fg_images/{id}", pha="Alpha_matte/{id}"),
    )


def _videomatte240k(folder: str) -> tuple[Form, ...]:
    return (
        form(inside=folder, fgr="fgr/{clip}/{frame}", pha="pha/{clip}/{frame}"),
        videos(f"{folder}/fgr/{{clip}}", f"{folder}/pha/{{clip}}"),
    )


def _alphamatting() -> dict[str, tuple[Form, ...]]:
    splits = {}
    for part, size in (("test", "low"), ("train", "low"), ("test", "high"), ("train", "high")):
        middle = f"{'training_' if part == 'train' else ''}{size}res"
        for number in (1, 2, 3) if part == "test" else (1, 2):
            name = f"Trimap{number}"
            parts = {
                "src": f"input_{middle}/{{id}}",
                "trimap": f"trimap_{middle}/{name}/{{id}}",
                "pha": f"gt_{middle}/{{id}}",
            }
            splits[f"{part}-{'highres-' if size == 'high' else ''}{name}"] = (form("pha", **parts),)
    return splits


def _dvm(part: str) -> dict[str, tuple[Form, ...]]:
    inside = f"fg/image/{part}"
    return {
        f"{part}-video": (videos(f"fg/video/{part}/{{clip}}/f", f"fg/video/{part}/{{clip}}/a"),),
        f"{part}-image": (form("trimap", inside=inside, fgr="fg/{id}", pha="alpha/{id}", trimap="trimap/{id}"),),
    }


def _p3m(part: str, pictures: str) -> tuple[Form, ...]:
    parts = {"src": f"{pictures}/{{id}}", "pha": "mask/{id}", "trimap": "trimap/{id}"}
    return tuple(form("trimap", inside=inside, **parts) for inside in (f"validation/{part}", part))


_FRAMES = {"src": "com/{frame}", "pha": "pha/{frame}", "fgr": "(fgr|fg)/{frame}", "bgr": "(bgr|bg)/{frame}"}
_CLIPS = {role: path.replace("/", "/{clip}/") for role, path in _FRAMES.items()}
_NATURAL = {"src": "original/{id}", "pha": "mask/{id}", "trimap": "trimap/{id}"}
_LAYERS = {"fgr": "fg/{id}", "bgr": "bg/{id}"}
_PADDLE = {"src": "(fg|image|img)/{id}", "pha": "(alpha|matte)/{id}", "trimap": "trimap/{id}"}
_PICTURES = (
    "(im|img|imgs|image|images|src|com|comp|merged|original|input|inputs|photo|photos"
    "|jpg|jpgs|jpeg|jpegs|jpegimages|rgb|raw)"
)
_FOREGROUNDS = "(fgr|fg|foreground|foregrounds)"
_ALPHAS = "(alpha|alphas|pha|matte|mattes|matting|gt|truth)"
_MASKS = "(mask|masks|seg|segmentation|label|labels|annotation|annotations|segmentationclass)"
_AS_ALPHA = "(_alpha|-alpha|_pha|-pha|_matte|-matte)"
_AS_MASK = f"({'|'.join(_MASK_ENDINGS)})"
_BESIDE = "(_gt|-gt|gt|_mask|-mask|_masks|-masks|_label|-label|_labels|-labels|_alpha|-alpha|_matte|-matte|_seg|-seg)"


def _folder(inside: str) -> tuple[Form, ...]:
    beside = "" if not inside else f"{inside}/"
    trimap = "(trimap|trimaps)/{path}(_trimap|-trimap)?"
    return (
        form(
            "trimap", inside=inside, src=f"{_PICTURES}/{{path}}", pha=f"{_ALPHAS}/{{path}}{_AS_ALPHA}?", trimap=trimap
        ),
        form(
            "trimap", inside=inside, src=f"{_PICTURES}/{{path}}", truth=f"{_MASKS}/{{path}}{_AS_MASK}?", trimap=trimap
        ),
        form(inside=inside, fgr=f"{_FOREGROUNDS}/{{path}}", pha=f"{_ALPHAS}/{{path}}{_AS_ALPHA}?"),
        form(inside=inside, fgr=f"{_FOREGROUNDS}/{{path}}", pha=f"{_MASKS}/{{path}}{_AS_MASK}?"),
        *(
            Form({"src": f"{beside}{'{path}' if '{path}' in truth else '{id}'}", role: f"{beside}{truth}"})
            for role, truth in (
                ("pha", f"{_ALPHAS}/{{id}}{_AS_ALPHA}?"),
                ("truth", f"{_MASKS}/{{id}}{_AS_MASK}?"),
                ("pha", f"{{id}}{_AS_ALPHA}"),
                ("truth", f"{{id}}{_AS_MASK}"),
                ("pha", f"{{path}}{_AS_ALPHA}"),
                ("truth", f"{{path}}{_AS_MASK}"),
            )
        ),
    )


def _split_folder(inside: str) -> tuple[Form, ...]:
    """A split's own folder, or one with its truth in a folder beside it, such as train_GT."""
    return (*_folder(inside), form(src=f"{inside}/{{path}}", truth=f"{inside}{_BESIDE}/{{path}}({_AS_MASK[1:-1]})?"))


LAYOUTS: dict[str, Splits] = {
    "rvm-eval": {
        "all": (
            form("fgr bgr", inside="{subset}/{clip}", **_FRAMES),
            form("fgr bgr", inside="{clip}", **_FRAMES),
            form("fgr bgr", **_CLIPS),
            form("fgr bgr", inside="{subset}", **_CLIPS),
        )
    },
    "composition-1k": {
        "test": _composition_1k("Test_set"),
        "train": _composition_1k("Training_set"),
    },
    "distinctions-646": {"test": _distinctions_646("Test"), "train": _distinctions_646("Train")},
    "videomatte240k": {
        "test": _videomatte240k("test"),
        "valid": _videomatte240k("(valid|val|validation)"),
        "train": _videomatte240k("train"),
        "all": (
            form(fgr="fgr/{take}/{frame}", pha="pha/{take}/{frame}"),
            videos("fgr/{take}", "pha/{take}"),
        ),
    },
    "photomatte": {
        "all": (form(fgr="fgr/{path}", pha="pha/{path}"),),
        "test": (form(fgr="test/fgr/{path}", pha="test/pha/{path}"),),
        "valid": (form(fgr="(valid|val)/fgr/{path}", pha="(valid|val)/pha/{path}"),),
        "train": (form(fgr="train/fgr/{path}", pha="train/pha/{path}"),),
    },
    "rwp-636": {"all": (form(src="image/{id}", pha="alpha/{id}", detail="detailmap/{id}_cloud_trimap"),)},
    "p3m-10k": {
        "P3M-500-P": _p3m("P3M-500-P", "blurred_image"),
        "P3M-500-NP": _p3m("P3M-500-NP", "original_image"),
        "train": (form("fgr bgr", inside="train", src="blurred_image/{id}", pha="mask/{id}", **_LAYERS),),
        "P": (form("trimap", src="blurred_image/{id}", pha="mask/{id}", trimap="trimap/{id}"),),
        "NP": (form("trimap", src="original_image/{id}", pha="mask/{id}", trimap="trimap/{id}"),),
    },
    "ppm-100": {
        "all": (form(src="image/{id}", pha="matte/{id}"),),
        "val": (form("trimap", inside="val", **_PADDLE),),
        "train": (form("trimap", inside="train", **_PADDLE),),
    },
    "am-2k": {
        "validation": (form("trimap fgr bgr", inside="(validation|val)", **_NATURAL, **_LAYERS),),
        "train": (form("trimap fgr bgr", inside="train", **_NATURAL, **_LAYERS),),
    },
    "aim-500": {"all": (form("trimap", **_NATURAL),)},
    "alphamatting": _alphamatting(),
    "dvm": {**_dvm("test"), **_dvm("train")},
    "conference": {
        "test": (form(src="original_testing/original{clip}_{frame}", mask="ground_truth_testing/gt{clip}_{frame}"),),
        "train": (form(src="original_training/original{clip}_{frame}", mask="ground_truth_training/gt{clip}_{frame}"),),
    },
    "aisegment": {
        "all": (
            form(
                src="clip_img/{group}/(clip_)?{sub}/{id}",
                channel3="matting/{group}/(matting_|clip_)?{sub}/{id}",
            ),
        )
    },
    "simd": {
        "all": (form("trimap", inside="{class}", src="merged/{id}", pha="alpha/{id}", trimap="trimap/{id}"),),
    },
    "supervisely": {"all": (form(src="img/{path}", mask="seg/{path}"),)},
    "eg1800": {"all": (form(src="(im|image|images)/{id}", truth="(mask|masks|matte|mattes|label|labels)/{id}"),)},
    "folder": {
        "all": (*_folder(""), form(rgba="{path}")),
        "test": _split_folder("(test|testing)"),
        "val": _split_folder("(val|valid|validation)"),
        "train": _split_folder("(train|training)"),
        "pictures": (form(src="{id}"),),
    },
}  # fmt: skip

GENERAL = frozenset({"folder", "video"})  # what fits many a tree: tried last
