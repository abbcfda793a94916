"""The page's own files, read once and kept compressed."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response

from bongsu.views.web import stripping

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_STRIPPED = {".css": stripping.style, ".js": stripping.script}
_MODULE = re.compile(r'<script src="/static/([^"]+)" type="module"></script>')
_IMPORTED = re.compile(r'\b(?:from|import)\s*"\./([^"]+)"')
_FOREIGN = "vendor"  # the folder of files that are sent as their authors made them
FOLDER = os.path.join(os.path.dirname(__file__), "static")


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file as it is sent."""

    type: str
    plain: bytes
    packed: bytes
    tag: str

    def answer(self, headers: Headers) -> Response:
        """The file, compressed where the client can take it, or 304 if it has it already."""
        sent = {"etag": self.tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        if self.tag in headers.get("if-none-match", ""):
            return Response(status_code=304, headers=sent)
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self.packed, media_type=self.type, headers={**sent, "content-encoding": "gzip"})
        return Response(self.plain, media_type=self.type, headers=sent)


def load(folder: str = FOLDER) -> dict[str, StaticFile]:
    """All files of the types that a browser is to have, by their path below ``folder``."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            ending = os.path.splitext(name)[1]
            if ending not in _TYPES:
                continue
            full = os.path.join(path, name)
            with open(full, "rb") as file:
                plain = file.read()
            if ending in _STRIPPED and os.path.basename(path) != _FOREIGN:
                plain = _STRIPPED[ending](plain.decode()).encode()
            found[os.path.relpath(full, folder)] = plain
    return {name: _file(os.path.splitext(name)[1], plain, found) for name, plain in found.items()}


def weights(files: Mapping[str, StaticFile]) -> tuple[int, int]:
    """Packed bytes of scripts and styles: of those that the page loads at first, and of all, with what comes on demand."""
    page = files["index.html"].plain.decode()
    sizes = {name: len(file.packed) for name, file in files.items() if name.endswith((".js", ".css"))}
    return sum(size for name, size in sizes.items() if f'"/static/{name}"' in page), sum(sizes.values())


def _file(ending: str, plain: bytes, all_files: Mapping[str, bytes]) -> StaticFile:
    if ending == ".html":
        plain = _MODULE.sub(lambda script: _preloads(script[1], all_files) + script[0], plain.decode()).encode()
    tag = f'"{hashlib.sha256(plain).hexdigest()[:16]}"'
    return StaticFile(_TYPES[ending], plain, gzip.compress(plain, 9, mtime=0), tag)


def _preloads(script: str, files: Mapping[str, bytes]) -> str:
    """Names every module that a script imports, so that a browser asks for all at once and not for one after the other."""
    names = [script]
    for name in names:  # grows meanwhile
        names += [one for one in _IMPORTED.findall(files.get(name, b"").decode()) if one not in names]
    return "".join(f'<link rel="modulepreload" href="/static/{name}">\n' for name in dict.fromkeys(names))
