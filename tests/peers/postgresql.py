"""A private PostgreSQL server: files in a temporary folder, reached through a socket in it."""

import glob
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

ROLE = "root_of_db"
NOBODY = 65534


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb") + glob.glob("/usr/bin/initdb"))
    assert found, "PostgreSQL's programs (Debian package `postgresql`) are needed for this test"
    return Path(found[-1]).parent


def unprivileged():
    """PostgreSQL refuses to run as root."""
    return {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}


@contextmanager
def server():
    """Yields the URL of an empty database, which ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        data = f"{folder}/data"
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL,
                 "stderr": subprocess.DEVNULL, "cwd": folder, **unprivileged()}
        subprocess.run([programs() / "initdb", "--auth=trust", f"--username={ROLE}", "--no-sync",
                        "--encoding=UTF8", "--locale=C", "--pgdata", data], check=True, **quiet)
        process = subprocess.Popen([programs() / "postgres", "-D", data, "-k", folder,
                                    "-c", "listen_addresses=", "-c", "fsync=off"], **quiet)
        try:
            createdb = [programs() / "createdb", "-h", folder, "-U", ROLE, "agent"]
            while subprocess.run(createdb, **quiet).returncode != 0:
                assert process.poll() is None, "PostgreSQL did not start"
                time.sleep(0.05)
            # The password is not asked for here; it must come out nowhere all the same.
            yield f"postgres://{ROLE}:{PASSWORD}@{quote(folder, safe='')}/agent"
        finally:
            process.send_signal(2)
            process.wait(timeout=30)


PASSWORD = "a-word-that-nobody-is-told"
