"""Read by Python when it starts (the `site` module): times what `bongsu run --functions` asked for, then the user's own.

Any Python may come upon this file, so that it keeps to what all of them can read.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Emit(object):  # noqa: UP004  old Pythons read this too
    """Finds `bongsu.emit` where this file lies, for an interpreter that has no Bongsu of its own."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202, ARG002  old Pythons read this too
        if name != "bongsu" and not name.startswith("bongsu.emit"):
            return None
        from importlib.machinery import PathFinder  # noqa: PLC0415  old Pythons have none

        package = os.path.dirname(os.path.dirname(_HERE))
        return PathFinder.find_spec(name, [os.path.dirname(package)] if name == "bongsu" else path or [package])


def _users_own():  # type: ignore[no-untyped-def]  # noqa: ANN202  old Pythons read this too
    sys.path[:] = [one for one in sys.path if os.path.abspath(one) != _HERE]
    before = sys.modules.pop("sitecustomize", None)
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        if before is not None:
            sys.modules["sitecustomize"] = before


if sys.version_info >= (3, 9):  # noqa: UP036  any Python may read this
    try:
        sys.meta_path.append(_Emit())
        from bongsu.emit import asked

        asked.begin()
    except Exception:  # noqa: BLE001, S110  a program does not fail for want of its timings
        pass

_users_own()  # type: ignore[no-untyped-call]  # as it is written for old Pythons
