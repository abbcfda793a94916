"""The forms that a cgroup path has in the wild, as data, and what each says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from bongsu.model.owner import OwnerKind
from bongsu.owners.cgroup import Belief, grouped
from bongsu.owners.paths import read
from bongsu.sources.cgroup import memberships
from bongsu.sources.root import Root

UID = "9aac5b5c-8815-4ef0-9a2e-f9e37b89da55"
WORDS = {
    "{U}": UID, "{u}": UID.replace("-", "_"), "{H}": "4f" * 32, "{H2}": "0a" * 32, "{H3}": "77" * 32,
    "{hash}": "9aac5b5c8815def09a2ef9e37b89da55",
}  # fmt: skip


def _filled(value: Any) -> Any:
    if isinstance(value, str):
        for word, text in WORDS.items():
            value = value.replace(word, text)
        return value
    if isinstance(value, list):
        return [_filled(one) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one) for key, one in value.items()}
    return value


CORPUS = _filled(yaml.safe_load((Path(__file__).parent / "corpus.yaml").read_text()))


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case['what']}")
def test_a_form_in_the_wild_is_understood(case: dict[str, Any], tmp_path: Path) -> None:
    """Each form gives the owner that stands beside it, its own directories, and nothing more."""
    text = "".join(f"{line}\n" if ":" in line.split("/")[0] else f"0::{line}\n" for line in case["lines"])
    found = grouped(memberships(text.encode()), Belief(Root(str(tmp_path))))
    user = 77 if found.user == -1 else found.user
    told = {
        "kind": str(found.kind), "id": found.id, "container": found.container, "step": found.step,
        "runtime": found.runtime, "unit": found.unit,
        "inside": f"user {user}" if found.kind is OwnerKind.CONTAINER and user is not None else found.inside,
    }  # fmt: skip
    expected = dict.fromkeys(told, "") | case["owner"]
    assert told == expected
    assert [
        ",".join(place.controllers) + ":" * bool(place.controllers) + place.path for place in found.places
    ] == case.get("places", [])
    assert found.hidden == case.get("hidden", False)


def test_the_corpus_holds_what_it_is_for() -> None:
    """Every form has a name of its own, so that a failure says which one."""
    names = [case["what"] for case in CORPUS]
    assert len(names) == len(set(names)) >= 90


def test_what_no_kernel_wrote_says_nothing() -> None:
    """After a `..` in the middle of a path nothing is read: no cgroup is called so."""
    assert read(f"/a/../kubepods/pod{UID}").claims == ()
    assert read("/" + "x" * 300 + f"/kubepods/pod{UID}").claims[-1].id == UID
