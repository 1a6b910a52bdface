#!/usr/bin/env bash
# On S3 there are no folders, so makedirs("bucket/a/b", exist_ok=True), which portable fsspec code calls before it writes,
# should do nothing. s3fs makes the bucket if there is none: a misspelt bucket is not an error of the write that follows
# but a new bucket, with the account's default settings, that everything goes to.
# Matting cares because a batch of a night writes thousands of videos of people to it; koutu lists the target first, which
# raises FileNotFoundError for a bucket that is not there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check s3fs==2026.9.0 'moto[s3]==5.2.5' flask flask-cors
cat >"$folder/try.py" <<'PYTHON'
import logging
import os

import s3fs
from moto.server import ThreadedMotoServer

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
host, port = server.get_host_and_port()
os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
bucket = s3fs.S3FileSystem(endpoint_url=f"http://{host}:{port}")
print("s3fs", s3fs.__version__)
try:
    bucket.pipe_file("mispelt/results/a.txt", b"a")
except FileNotFoundError as error:
    print("written at once:", error)
bucket.makedirs("mispelt/results", exist_ok=True)
bucket.pipe_file("mispelt/results/a.txt", b"a")
print("after makedirs:", bucket.find("mispelt"))
server.stop()
PYTHON
"$folder/venv/bin/python" "$folder/try.py" 2>/dev/null | grep -v '^Starting' | tee "$folder/said"
diff "$folder/said" - <<'EXPECTED'
s3fs 2026.9.0
written at once: The specified bucket does not exist
after makedirs: ['mispelt/results/a.txt']
EXPECTED
echo "as described"
