"""Checks HTTP basic authentication (RFC 7617) against bcrypt hashes, at a cost that tells an attacker nothing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Mapping

_REMEMBERED = 100  # answers; enough for the scrapers of one machine, too few to be a memory leak
_MOST_PASSWORD = 72  # bytes that bcrypt looks at; what follows does not count

Verify = Callable[[bytes, bytes], bool]  # bcrypt.checkpw(password, hash)


class BasicAuth:
    """Users and their bcrypt hashes.

    bcrypt is slow on purpose, so answers are remembered: by a keyed hash of user, password and the
    stored hash, with a key that lives in this process only. No password is kept. An unknown user
    costs one bcrypt as a known one does, and one bcrypt runs at a time, so that guessing cannot
    take more than one core.
    """

    def __init__(self, users: Mapping[str, bytes], verify: Verify) -> None:
        self._users = {user.encode(): hashed for user, hashed in users.items()}
        self._verify = verify
        self._key = secrets.token_bytes(32)
        self._known: dict[bytes, bool] = {}
        self._lock = threading.Lock()
        # Stands in for the hash of a user that there is not; its answer does not count.
        self._decoy = max(self._users.values(), key=_cost)

    def permits(self, authorization: str | None) -> bool:
        """Whether the value of an Authorization header names a user with the right password."""
        given = _credentials(authorization)
        if given is None:
            return False
        user, password = given
        stored = self._users.get(user)
        hashed = stored if stored is not None else self._decoy
        seal = hmac.digest(self._key, b"\0".join((_sealed(user), _sealed(hashed), _sealed(password))), "sha256")
        right = self._known.get(seal)
        if right is None:
            with self._lock:
                right = self._known.get(seal)
                if right is None:
                    right = self._right(password, hashed) and stored is not None
                    if len(self._known) >= _REMEMBERED:
                        del self._known[next(iter(self._known))]
                    self._known[seal] = right
        return right

    def _right(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._verify(password[:_MOST_PASSWORD], hashed)
        except ValueError:  # a NUL within: no such password can have been hashed
            return False


def _cost(hashed: bytes) -> int:
    """The work factor of a bcrypt hash, ``$2b$COST$...``."""
    return int(hashed.split(b"$")[2])


def _sealed(part: bytes) -> bytes:
    """Of one length, so that no two triples run together to the same bytes."""
    return hashlib.sha256(part).digest()


def _credentials(authorization: str | None) -> tuple[bytes, bytes] | None:
    scheme, _, encoded = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    user, colon, password = decoded.partition(b":")
    return (user, password) if colon else None
