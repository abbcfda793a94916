"""Names of users: the file first, then a name service that may hang."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bongsu.sources import names
from bongsu.sources.names import KnownBy, UserName, Users
from bongsu.sources.root import Root
from bongsu.sources.worker import Worker


@pytest.fixture
def users() -> Iterator[Callable[[str], Users]]:
    """Users of this machine, with a name service of the tests'."""
    made = []

    def make(service: str) -> Users:
        made.append(Users(Root("/"), patience=1.0, service=f"worker_service:{service}"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_names_are_the_c_librarys() -> None:
    """For every user of this machine the name is what getpwuid(3) says, and it is known from the file."""
    users = Users(Root("/"))
    everybody = {entry.pw_uid: pwd.getpwuid(entry.pw_uid).pw_name for entry in pwd.getpwall()}
    assert {uid: user.name for uid, user in users.look_up(everybody).items()} == everybody
    assert users.look_up([0]) == {0: UserName("root", KnownBy.FILE)}
    users.close()


def test_an_unknown_number_is_its_own_name() -> None:
    """A number without a name is given as text and said to be one; the child is let go again."""
    users = Users(Root("/"), patience=30.0)
    assert users.look_up([3_999_999_999]) == {3_999_999_999: UserName("3999999999", KnownBy.NOBODY)}
    assert users.name(3_999_999_999) == "3999999999"
    assert users._worker is not None
    assert users._worker.pids == ()
    users.close()


def test_the_name_service_is_asked_once_for_all(users: Callable[[str], Users], monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that only the service knows come from it, all with one question, and are then remembered."""
    some = users("user")
    assert some.look_up([70_001, 70_002, 0]) == {
        70_001: UserName("user70001", KnownBy.NAME_SERVICE),
        70_002: UserName("user70002", KnownBy.NAME_SERVICE),
        0: UserName("root", KnownBy.FILE),
    }
    monkeypatch.setattr(Worker, "ask", lambda *_: pytest.fail("it was known already"))
    for _ in range(100):
        assert some.name(70_001) == "user70001"


def test_a_service_that_hangs_is_waited_for_once(users: Callable[[str], Users]) -> None:
    """A dead service costs one deadline, whoever is asked for next, and the evidence says so."""
    some = users("never")
    assert some.look_up([70_001])[70_001] == UserName("70001", KnownBy.NO_ANSWER)
    assert some._worker is not None
    children = some._worker.pids
    started = time.monotonic()
    for uid in range(70_001, 70_100):
        assert some.look_up([uid])[uid].known_by is KnownBy.NO_ANSWER
    assert time.monotonic() - started < 20, "each of 99 would have waited a second"
    assert some.name(0) == "root"
    assert some._worker.pids == children
    assert len(children) == 1


def test_a_changed_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who is added is known a moment later, and a file being replaced forgets nobody."""
    monkeypatch.setattr(names, "_LOOK_AGAIN_SECONDS", 0.0)
    (tmp_path / "etc").mkdir()
    passwd = tmp_path / "etc" / "passwd"
    passwd.write_text("root:x:0:0::/:\n")
    users = Users(Root(str(tmp_path)))
    assert [users.name(uid) for uid in (0, 1000)] == ["root", "1000"]
    passwd.write_text("root:x:0:0::/:\nmina:x:1000:1000::/:\n")
    assert users.name(1000) == "mina"
    passwd.unlink()
    assert users.name(1000) == "mina"


def test_another_root_asks_no_name_service(tmp_path: Path) -> None:
    """Our name service does not know another machine's users: a number stays a number."""
    users = Users(Root(str(tmp_path)), service="worker_service:user")
    assert users.look_up([70_001]) == {70_001: UserName("70001", KnownBy.NOBODY)}


def test_odd_lines_are_passed_over() -> None:
    """Comments, NIS entries, broken lines and bytes that are no UTF-8 stop nothing; the first of two wins."""
    text = b"# a:x:1:1\n+nis:x:2:2::\nbroken\n:x:3:3::\nb\xff:x:4:4::/:\nfirst:x:5:5::\nsecond:x:5:5::\nc:x:-6:6::\n"
    assert names.parse_passwd(text) == {4: "b\udcff", 5: "first"}


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(text: bytes) -> None:
    """Whatever the file holds, reading it gives names and never an exception."""
    for uid, name in names.parse_passwd(text).items():
        assert uid >= 0
        assert os.fsencode(name)
