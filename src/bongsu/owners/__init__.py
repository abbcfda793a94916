"""Finds out who a process belongs to, and says how it is known.

For the rooms that join readings with owners (what a GPU's or a port's processes belong to, what a run has used):

- ``census.Censuses.take(reader)``: all processes and their owners, read at most once a second for all readers.
- ``resolver.resolver_of(machine)``: the machine's one resolver. ``resolve(processes)`` answers for many at once, by
  (pid, start ticks), and costs a fifth of a microsecond for each that is known; a caller need not ask for all, and forgets nothing of another's.
  ``one(pid)`` reads a single process too, for a command.
- ``numbered.Numbered``: the same for a driver that names only numbers; each time it looks whether they are still the
  same processes.
- ``Placed.owner.key`` is what use is summed over; ``Placed.places`` are the owner's own cgroups, empty where it has none.
- An owner may first be known without its name (the kubelet has not answered yet): ask again with the next reading and
  take what is newest. The key never waits for a name; only a container whose pod is hidden, and a job behind a SLUID, change theirs once it is known.
- ``usage.Usages``: what each owner has used; ``follow(key)`` keeps one in sight.

docs/owners.md says what is believed.
"""
