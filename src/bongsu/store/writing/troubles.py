"""What is wrong with the store now, each thing logged when it begins and when it has passed."""

from __future__ import annotations

import logging

from bongsu.model.message import Message

_log = logging.getLogger("bongsu.store")
_GRAVEST_FIRST = ("disk", "upkeep", "file", "clock", "double", "place")


class Troubles:
    """At most one sentence for each subject. May be used by several threads."""

    def __init__(self) -> None:
        self._now: dict[str, Message] = {}

    @property
    def gravest(self) -> Message | None:
        """What to show if only one can be shown."""
        now = dict(self._now)
        return next((now[subject] for subject in _GRAVEST_FIRST if subject in now), None)

    def say(self, subject: str, problem: Message) -> None:
        """This is so now; logged unless it was so before."""
        before = self._now.get(subject)
        self._now[subject] = problem
        if before is None or before.template != problem.template:
            _log.warning("%s", problem)

    def passed(self, subject: str) -> None:
        """Nothing is wrong with it any more."""
        if subject in self._now:
            problem = self._now.pop(subject, None)
            if problem is not None:
                _log.info("no longer so: %s", problem)
