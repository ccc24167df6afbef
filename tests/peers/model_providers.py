"""Starts the model lab, which plays the providers of language models on this machine."""

import json
import secrets
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager

from conftest import ROOT, binary, free_of_ambient_credentials


class Providers:
    """A running model lab: where it is, its key, and everything that it was asked."""

    def __init__(self, url, key):
        self.url, self.key = url, key

    def exchanges(self):
        with urllib.request.urlopen(self.url + "/lab/exchanges") as answer:
            return json.load(answer)

    def told(self):
        """The sum of the usage figures that arrived."""
        kinds = ("input", "cache_read", "cache_write", "output")
        figures = [exchange["told"] for exchange in self.exchanges() if exchange["told"]]
        return {kind: sum(told[kind] for told in figures) for kind in kinds}


@contextmanager
def providers(parts=None):
    """A model lab that answers as each request says, or as the agents whose parts are given."""
    key = secrets.token_urlsafe(24)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        command = [str(binary().parent / "examples" / "model_lab"), key]
        if parts is not None:
            json.dump(parts, file)
            file.flush()
            command.append(file.name)
        process = subprocess.Popen(command, cwd=ROOT, env=free_of_ambient_credentials(), text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            yield Providers(process.stdout.readline().strip(), key)
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def says(text="", *calls, **more):
    """An answer; a call is its id, its tool and its arguments."""
    calls = [{"id": name, "name": tool, "arguments": arguments if isinstance(arguments, str)
              else json.dumps(arguments)} for name, tool, arguments in calls]
    return {"reply": {"text": text, "calls": calls} | more}


def fails(status, message, **more):
    return {"failure": {"status": status, "message": message} | more}
