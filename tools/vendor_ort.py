"""Fetch ONNX Runtime Web from npm into the page's folder: only the files the page loads, checked, compressed.

python tools/vendor_ort.py [--check]     (--check: only compare what is there; needs no network)
"""

import argparse
import gzip
import hashlib
import lzma
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "onnxruntime-web@1.30.0"
TARGET = Path(__file__).parent.parent / "src" / "koutu" / "server" / "web" / "vendor" / "ort"
FILES = {  # name in the package's dist/ → SHA-256, uncompressed
    # WebAssembly with SIMD and threads
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    # WebGPU
    "ort.webgpu.min.mjs": "3dffff71811bc13a3a3d9591c57ca5ee5735b8f5f3eaf789510b02bb040ae3a0",
    "ort-wasm-simd-threaded.asyncify.mjs": "3d1c85995364bb643302fc6fd877a0c3ba5ae72401815e0f24828a53d9191e28",
    "ort-wasm-simd-threaded.asyncify.wasm": "39f9f0894d478800487ed9f7dbe92618498db320cf55c8e3d89adff8dce658da",
}


def fetch(target: Path) -> None:
    """Write NAME.xz of every WebAssembly file, and NAME.gz of the others, which are small, into `target`."""
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("expected npm to fetch with, found none; install Node.js")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([npm, "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as tar:
            for name, digest in FILES.items():
                member = tar.extractfile(f"package/dist/{name}")
                content = member.read() if member else b""
                require(name, content, digest)
                target.mkdir(parents=True, exist_ok=True)
                packed(target, name).write_bytes(_compressed(name, content))


def packed(target: Path, name: str) -> Path:
    return target / f"{name}{'.xz' if name.endswith('.wasm') else '.gz'}"


def _compressed(name: str, content: bytes) -> bytes:
    if name.endswith(".wasm"):
        return lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    return gzip.compress(content, 9, mtime=0)


def require(name: str, content: bytes, digest: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        sys.exit(f"{name}: expected SHA-256 {digest}, got {found}; is it another version than {PACKAGE}?")


def check(target: Path) -> None:
    """Exit with an error unless every file is there as it was published."""
    for name, digest in FILES.items():
        path = packed(target, name)
        if not path.is_file():
            sys.exit(f"expected {path}, found none; run python tools/vendor_ort.py")
        require(name, (lzma if path.suffix == ".xz" else gzip).decompress(path.read_bytes()), digest)
    print(f"{len(FILES)} files of {PACKAGE}, {sum(packed(target, name).stat().st_size for name in FILES) / 1e6:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        fetch(TARGET)
    check(TARGET)


if __name__ == "__main__":
    main()
