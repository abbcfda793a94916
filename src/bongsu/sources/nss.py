"""A user's name from the name service switch (LDAP, SSSD …), asked in a worker's child: a dead server blocks it."""

from __future__ import annotations

import pwd

SERVICE = "bongsu.sources.nss:user"


def user(uid: int) -> str | None:
    """The name of the user, or None if the services know none (getpwuid(3))."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return None
