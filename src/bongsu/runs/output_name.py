"""Fills in the name of the file that a report is to be written to."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

FIELD = re.compile(r"\{([^{}]*)\}")
FIELDS = ("id", "name", "exit_code")
_DOCUMENT = (("YYYYMMDD", "%Y%m%d"), ("HHMMSS", "%H%M%S"))  # as the source document writes its file name


def filled(template: str, started: float, fields: Mapping[str, str]) -> str:
    """The file name that a template stands for: strftime's letters, and ``{id}`` and its like where ``fields`` has them.

    Args:
        template: a path.
        started: Unix s.
        fields: name → text; a slash in it becomes ``_``, so that no other directory is meant.
    """
    for letters, meant in _DOCUMENT:
        template = template.replace(letters, meant)
    parts = FIELD.split(template)  # the names of fields are every second one
    names = [fields.get(part, "{" + part + "}").replace("/", "_") for part in parts[1::2]]
    texts = [time.strftime(part, time.localtime(started)) if "%" in part else part for part in parts[::2]]
    return "".join(text + name for text, name in zip(texts, [*names, ""], strict=True))
