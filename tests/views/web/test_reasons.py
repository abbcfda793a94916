"""Why something is empty, in the words of those who read the machine."""

from __future__ import annotations

from bongsu.collectors import hwmon, loadavg, meminfo, netstat, tcpstat
from bongsu.model.batch import Absence, Outcome, Part, Why
from bongsu.model.message import Message
from bongsu.model.query import Query
from bongsu.views.web.reasons import why
from readings import batch, part

TEMPERATURE, LOAD = Query(hwmon.TEMPERATURE), Query(loadavg.LOAD1)


def test_before_the_first_reading_nothing_is_known() -> None:
    """No reason is made up."""
    assert why([LOAD], None) == "nothing has been read yet"


def test_a_collector_that_is_off_is_named_with_its_switch() -> None:
    """So that a person can switch it on."""
    assert why([Query(tcpstat.STATES)], batch(1)) == (
        "the collector tcpstat is switched off; --collector.tcpstat switches it on"
    )


def test_what_the_collector_said_is_the_reason() -> None:
    """That the machine has none, or that reading failed, or that this one thing could not be read."""
    none = Part("hwmon", 1001, 1, (), (), (), Outcome("hwmon", 0.0, 0.0, no_data=Message("no sensors")))
    assert why([TEMPERATURE], batch(1, none)) == "no sensors"
    curable = Part(
        "gpu", 1001, 1, (), (), (), Outcome("gpu", 0.0, 0.0, no_data=Message("no driver"), cure=Message("get it"))
    )
    assert why([], batch(1, curable), "gpu") == "no driver; get it"
    assert why([], batch(1, none), "gpu") == "the collector gpu is switched off; --collector.gpu switches it on"
    failed = part({}, 1, collector="hwmon", error=Message("{x} broke", x="<b>\x1b"))
    assert why([TEMPERATURE], batch(1, failed)) == "the collector hwmon failed: <b>\\x1b broke"
    lost = Absence(hwmon.TEMPERATURE, ("a", "b"), Why.LOST, Message("it was pulled out"), None)
    assert why([TEMPERATURE], batch(1, part({}, 1, collector="hwmon", absences=(lost,)))) == "it was pulled out"


def test_a_collector_without_a_word_leaves_two_reasons() -> None:
    """It gives no such reading: there is none here. It does now: nothing was read in the time that is shown."""
    read = part({(loadavg.LOAD1, ()): 1.0}, 1, collector="loadavg")
    assert why([LOAD], batch(1, read)) == "nothing was read in this time"
    assert why([Query(loadavg.LOAD5)], batch(1, read)) == "this machine has none"


def test_metrics_named_by_the_machine_have_their_collectors_too() -> None:
    """Fields of files of the kernel are specs of a pattern."""
    queries = [Query(meminfo.FIELD.spec("MemTotal")), Query(netstat.FIELD.spec("Tcp_RetransSegs"))]
    assert why(queries, batch(1, part({}, 1, collector="netstat"))) == (
        "the collector meminfo is switched off; --collector.meminfo switches it on; this machine has none"
    )


def test_a_reason_is_told_once() -> None:
    """Four lines of one collector that is off have one reason."""
    read = part({}, 1, collector="loadavg")
    assert why([LOAD, Query(loadavg.LOAD5), Query(loadavg.LOAD15)], batch(1, read)) == "this machine has none"
