"""End-to-end speed: frames per second, milliseconds a stage and peak memory, beside a plain transcode and peers.

python bench/video.py --peers PEERS_FOLDER [--frames 150] [--rounds 5] [--json out.json]

All systems run in turn, round after round, in one process, with the same reader, compositing and writer; figures are
medians over the rounds, and ratios are medians of the rounds' own ratios. Peak memory is measured in a process each.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2

sys.path.insert(0, str(Path(__file__).parent))
from peers import nv21_to_planes, peers, planes_to_nv21

from koutu.bench.run import about_run, save
from koutu.color import rgb_to_yuv, to_rgb
from koutu.composite import fit, replace
from koutu.foreground import decontaminate
from koutu.machine import peak_mb
from koutu.matting.matter import Matter
from koutu.media.image import read_image
from koutu.media.reader import open_video
from koutu.media.writer import EncodeOptions, open_writer
from koutu.pipeline.convert import Outputs, convert_video
from koutu.pipeline.look import Look
from koutu.pipeline.mailbox import Mailbox, stage
from koutu.types import ColorSpace, Frame, Yuv420
from koutu.zoo import SAMPLE, load

SIZES = ((360, 640), (720, 1280), (1080, 1920))
ENCODE = EncodeOptions()


def make_clip(path: Path, size: tuple[int, int], frames: int) -> None:
    """The packaged sample, back and forth, at another size, H.264."""
    with open_video(SAMPLE / "talk.mp4") as reader:
        sample = [to_rgb(frame.picture) for frame in reader]
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 30, options={"preset": "veryfast", "crf": "20"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            turn, at = divmod(i, len(sample))
            rgb: Any = cv2.resize(sample[at if turn % 2 == 0 else -1 - at], size[::-1], interpolation=cv2.INTER_CUBIC)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))


def transcode(source: Path, target: Path) -> dict:
    """Decode and encode with the same reader, writer and settings: the limit for anything in between."""
    started, frames = time.perf_counter(), 0
    with open_video(source) as reader, open_writer(target, reader, options=ENCODE) as writer:
        box = Mailbox[Frame](3)
        stage(None, reader, box, name="decode")
        for frame in box:
            assert isinstance(frame.picture, Yuv420)
            writer.write(frame.picture, frame)
            frames += 1
    seconds = time.perf_counter() - started
    return {"fps": frames / seconds, "stages": {}}


def matting(backend: object, refine: bool) -> Callable[[Path, Path], dict]:
    look = Look(background=str(SAMPLE / "lake.jpg"), refine=refine)

    def run(source: Path, target: Path) -> dict:
        report = convert_video(source, Outputs(target), look=look, backend=backend, encode=ENCODE)  # type: ignore[arg-type]
        return {"fps": report.rate, "stages": report.stage_ms}

    return run


def systems(
    size: tuple[int, int], folder: Path | None, engines: list[str], *, only: str = ""
) -> dict[str, Callable[[Path, Path], dict]]:
    found: dict[str, Callable[[Path, Path], dict]] = {"transcode": transcode}
    ours = {f"koutu {engine}": {"engine": engine} for engine in engines}
    if engines:
        ours |= {"koutu gate": {"gate": True}, "koutu-small onnxruntime": {"model": "koutu-small"}}
    for name, options in ours.items():
        if name == (only or name):
            found[name] = matting(load(**options), refine=True)  # type: ignore[arg-type]
    if folder:
        wanted = {name: start for name, start in peers(folder, size).items() if name == (only or name)}
        found |= {name: matting(start(), refine=False) for name, start in wanted.items()}
    return found


def measure(size: tuple[int, int], args: argparse.Namespace, folder: Path) -> dict[str, dict]:
    clip = folder / f"{size[0]}.mp4"
    make_clip(clip, size, args.frames)
    candidates = systems(size, args.peers, args.engines)
    rounds: dict[str, list[dict]] = {name: [] for name in candidates}
    for i in range(args.rounds + 1):  # the first is to warm up
        for name, run in candidates.items():
            before = time.process_time()
            result = run(clip, folder / "out.mp4")
            result["cpu_ms"] = 1000 * (time.process_time() - before) / args.frames
            if i:
                rounds[name].append(result)
    table = {}
    for name, runs in rounds.items():
        stages = {k: statistics.median(r["stages"][k] for r in runs) for k in runs[0]["stages"]}
        against = {
            other: statistics.median(a["fps"] / b["fps"] for a, b in zip(runs, rounds[other], strict=True))
            for other in ("transcode", "rvm") if other in rounds
        }  # fmt: skip
        table[name] = {"fps": statistics.median(r["fps"] for r in runs), "stages": stages, "times": against}
        table[name]["cpu_ms"] = statistics.median(r["cpu_ms"] for r in runs)
        if "rvm" in rounds:
            pairs = zip(runs, rounds["rvm"], strict=True)
            table[name]["cpu_of_rvm"] = statistics.median(a["cpu_ms"] / b["cpu_ms"] for a, b in pairs)
        if args.memory:
            table[name]["peak_mb"] = peak_memory(name, size, clip, args.peers)
    return table


def peak_memory(name: str, size: tuple[int, int], clip: Path, folder: Path | None) -> float:
    """Peak resident megabytes of a process that runs one system on one clip."""
    job = json.dumps([name, size, str(clip), str(folder) if folder else None])
    out = subprocess.run([sys.executable, __file__, "--child", job], check=True, capture_output=True, text=True)
    return float(out.stdout.split()[-1])


def child(job: str) -> None:
    name, size, clip, folder = json.loads(job)
    engines = ["openvino" if "openvino" in name else "onnxruntime"] if name.startswith("koutu") else []
    run = systems(tuple(size), Path(folder) if folder and not engines else None, engines, only=name)[name]
    with tempfile.TemporaryDirectory() as results:
        run(Path(clip), Path(results) / "out.mp4")
    print(peak_mb())


def camera_view(engines: list[str], rounds: int) -> dict[str, float]:
    """The article's own case: NV21 640×640 from a camera → NV21 composite; milliseconds a frame, one at a time."""
    size, space = (640, 640), ColorSpace("bt601", True)
    with open_video(SAMPLE / "talk.mp4") as reader:
        views = [to_rgb(fit(f.picture, size)) for f in reader]
    nv21 = [planes_to_nv21(p.y, p.u, p.v) for p in (rgb_to_yuv(v, space) for v in views)]
    background = rgb_to_yuv(to_rgb(fit(read_image(SAMPLE / "lake.jpg"), size)), space)
    matters, times = {e: Matter(load(engine=e)) for e in engines}, {e: [] for e in engines}
    for _ in range(rounds):
        for engine, matter in matters.items():
            for i, view in enumerate(nv21):
                started = time.perf_counter()
                frame = Frame(Yuv420(*nv21_to_planes(view, size[0]), space), i * 3000)
                alpha = matter(frame).alpha
                out = replace(decontaminate(frame.picture, alpha), alpha, background)
                assert isinstance(out, Yuv420)
                planes_to_nv21(out.y, out.u, out.v)
                times[engine].append(1000 * (time.perf_counter() - started))
            matter.reset()
    return {engine: statistics.median(t) for engine, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--engines", nargs="*", default=["onnxruntime", "openvino"])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="also peak memory, in a process each")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child)
    result: dict = about_run() | {"frames": args.frames, "rounds": args.rounds, "sizes": {}}
    machine = result["machine"]
    where = f"{machine['cores']} cores, {machine['cpu']}, {machine['system']}"
    print(f"{where}; x264 {ENCODE.preset} crf {ENCODE.crf}; medians of {args.rounds} rounds", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            table = result["sizes"][f"{size[1]}x{size[0]}"] = measure(size, args, Path(folder))
            for name, row in table.items():
                stages = " ".join(f"{k} {v:.1f}" for k, v in row["stages"].items())
                ratios = " ".join(f"{v:.2f}× {k}" for k, v in row["times"].items())
                memory = f"{row['peak_mb']:.0f} MB" if "peak_mb" in row else ""
                print(f"{size[1]}×{size[0]} {name:24} {row['fps']:6.1f} fps  {ratios}  [{stages}] {memory}", flush=True)
    camera = result["camera 640×640 NV21, ms"] = camera_view(args.engines, args.rounds)
    print("camera 640×640 NV21 → NV21, ms a frame:", camera)
    if args.json:
        save(result, args.json)


if __name__ == "__main__":
    main()
