"""Figures that papers and their repositories print, to stand beside measured ones and never among them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One row of somebody's table: method, values in the columns' order, and where it is printed."""

    method: str
    values: tuple[float | None, ...]
    source: str


@dataclass(frozen=True)
class PublishedTable:
    """What is measured where: a data set's protocol, columns, rows."""

    protocol: str
    columns: tuple[str, ...]
    rows: tuple[Published, ...]


_DIM = "Xu et al., CVPR 2017, as quoted by re-implementations"
_RVM = "Lin et al., WACV 2022 (RVM), its own run"
_MODNET = "Ke et al., AAAI 2022"

# layout of `koutu.data.sets.open` → what was published on that set
PUBLISHED: dict[str, PublishedTable] = {
    "composition-1k": PublishedTable(
        "1000 composites, unknown region of the trimaps",
        ("unknown_sad", "unknown_mse", "unknown_grad", "unknown_conn"),
        (
            Published("Deep Image Matting", (50.4, 14.0, 31.0, 50.8), _DIM),
            Published("Deep Image Matting", (50.6, 15.0, 29.0, 50.7), "mmagic, stage 3"),
            Published("Mask Guided Matting", (31.76, 7.18, 13.41, 27.83), "its README"),
            Published("Semantic Image Matting", (27.7, 5.6, 10.7, 24.4), "its README"),
        ),
    ),
    "rwp-636": PublishedTable(
        "whole image",
        ("sad", "mse"),
        (Published("Mask Guided Matting", (28.64, 9.39), "its README"),),
    ),
    "p3m-10k": PublishedTable(
        "P3M-500-P, whole image",
        ("sad", "mse"),
        (Published("Semantic Human Matting, retrained", (21.56, 10.0), "README of P3M"),),
    ),
    "ppm-100": PublishedTable(
        "whole image at its own size, shorter side 512 for the network; images were later exchanged in part",
        ("mse", "mad"),
        (
            Published("MODNet", (4.4, 8.6), _MODNET),
            Published("Semantic Human Matting", (7.2, 15.2), _MODNET),
            Published("BSHM", (6.3, 11.4), _MODNET),
            Published("HAttMatting", (6.7, 13.7), _MODNET),
            Published("Deep Image Matting, with trimap", (1.6, 6.3), _MODNET),
        ),
    ),
    "rvm-eval": PublishedTable(
        "VideoMatte240K composites at 512×288, whole image; a clip's first frame counts as 0 in dtSSD",
        ("mad", "mse", "grad", "conn", "dtssd"),
        (
            Published("RVM, MobileNetV3", (6.08, 1.47, 0.88, 0.41, 1.36), _RVM),
            Published("MODNet", (9.41, 4.30, 1.89, 0.81, 2.23), _RVM),
            Published("Background Matting V2", (25.19, 19.63, 2.28, 3.26, 2.74), _RVM),
            Published("FBA", (8.36, 3.37, 2.09, 0.75, 2.09), _RVM),
            Published("DeepLabV3", (14.47, 9.67, 8.55, 1.69, 5.18), _RVM),
        ),
    ),
    "videomatting108": PublishedTable(
        "medium trimaps",
        ("ssda", "dtssd_sum", "messddt", "unknown_mse", "unknown_mad"),
        (
            Published("GCA + TAM", (50.41, 27.28, 1.48, 7.07, 37.65), "Zhang et al., ACM MM 2021 (TCVOM)"),
            Published("DIM + TAM", (58.94, 29.89, 2.06, 9.02, 43.28), "Zhang et al., ACM MM 2021 (TCVOM)"),
            Published("IndexNet + TAM", (57.91, 29.36, 1.81, 8.78, 43.17), "Zhang et al., ACM MM 2021 (TCVOM)"),
            Published("FBA + TAM", (51.57, 25.50, 1.59, 7.61, 37.24), "Zhang et al., ACM MM 2021 (TCVOM)"),
        ),
    ),
    "simd": PublishedTable(
        "unknown region of the trimaps",
        ("unknown_sad", "unknown_mse", "unknown_grad", "unknown_conn"),
        (Published("Semantic Image Matting", (27.9, 4.7, 11.6, 20.8), "its README"),),
    ),
}  # fmt: skip
