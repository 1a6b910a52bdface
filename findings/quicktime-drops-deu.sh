#!/usr/bin/env bash
# A QuickTime track's language is a number of an old list, and FFmpeg knows each number by one name alone, now the one
# of ISO 639-2/B ("ger", "dut", "chi"), now that of 639-2/T ("fra", "ces", "ron"), now neither ("sve" for Swedish). Of
# any other name of the same language it writes nothing and says nothing: French sound keeps its language in a .mov,
# German sound called "deu", as Matroska files and phones call it, loses it. .mp4 keeps all of them.
# Matting cares because its cut-outs with alpha are .mov (ProRes 4444) of what came as .mp4 or .mkv, with all its sound.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check av==18.1.0
cat >"$folder/try.py" <<'PYTHON'
import io
import sys

import av


def kept(code: str, container: str) -> str | None:
    file = io.BytesIO()
    with av.open(file, "w", container) as out:
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        sound.metadata["language"] = code
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        frame.sample_rate, frame.pts = 48_000, 0
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            out.mux(packet)
    file.seek(0)
    with av.open(file) as written:
        return written.streams.audio[0].metadata.get("language")


print("PyAV", av.__version__, "libavformat", ".".join(map(str, av.library_versions["libavformat"])), file=sys.stderr)
for code in ("fra", "fre", "ger", "deu", "dut", "nld", "sve", "swe", "ces", "cze"):
    print(code, kept(code, "mov"), kept(code, "mp4"))
PYTHON
"$folder/venv/bin/python" "$folder/try.py" | tee "$folder/found"
diff "$folder/found" - <<'EXPECTED'
fra fra fra
fre None fre
ger ger ger
deu None deu
dut dut dut
nld None nld
sve sve sve
swe None swe
ces ces ces
cze None cze
EXPECTED
echo "as described"
