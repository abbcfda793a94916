"""The series of GPUs, from looks made by hand."""

from __future__ import annotations

import subprocess

import pytest
from msgspec.structs import replace as replaced

from bongsu.collectors import gpu_values
from bongsu.collectors.gpu import GpuCollector
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import BadInput, NoData, NotKnown
from bongsu.model.message import Message
from bongsu.model.owner import Owner, OwnerKind
from bongsu.pipeline import Gatherer
from bongsu.sinks.exposition import Exposition
from bongsu.sources.nvml.reading import Gap, Snapshot, Xid
from bongsu.sources.nvml.values import DEVICE_VALUES, INSTANCE_VALUES
from bongsu.sources.root import Machine
from gpu_by_hand import LOST, TIME, UNSUPPORTED, UUIDS, Looks, gpu, instance, look

A, B = UUIDS
MACHINE = Machine.at()


def read(collector: GpuCollector) -> tuple[dict[tuple[str, tuple[str, ...]], float], list[Absence]]:
    """Samples by name and labels, and absences, of a collection that may end with an error."""
    samples: dict[tuple[str, tuple[str, ...]], float] = {}
    absences = []
    try:
        for item in collector.collect():
            if isinstance(item, Sample):
                assert (item.spec.name, item.labels) not in samples
                assert len(item.labels) == len(item.spec.labels)
                samples[item.spec.name, item.labels] = item.value
            else:
                assert isinstance(item, Absence)
                assert len(item.labels) == len(item.spec.labels)
                absences.append(item)
    except (NoData, NotKnown):
        pass
    return samples, absences


def of(snapshot: Snapshot) -> tuple[GpuCollector, Looks]:
    """A collector, and the reader whose next look can be changed."""
    reader = Looks(snapshot)
    return GpuCollector(MACHINE, reader), reader


def test_the_source_and_the_collector_have_the_same_figures() -> None:
    """What one names and the other does not would be a failing collector, or a metric that nothing gives."""
    names = {*DEVICE_VALUES, *INSTANCE_VALUES}
    assert {name for name, _ in names} == set(gpu_values.VALUES)
    for name, labels in names:
        assert gpu_values.VALUES[name].labels[:2] == ("gpu", "uuid")
        assert len(gpu_values.VALUES[name].labels) == 2 + len(labels), name


def test_each_figure_is_a_series_of_its_device() -> None:
    """Index and UUID first, then the figure's own labels; the value as it was read."""
    collector, _ = of(look(gpu(0), gpu(1)))
    samples, absences = read(collector)
    for place, (name, labels) in enumerate(DEVICE_VALUES):
        for index, uuid in enumerate(UUIDS):
            assert samples[name, (str(index), uuid, *labels)] == place
    assert samples["gpu_up", ("1", B)] == 1
    assert samples["gpu_mig_mode", ("0", A)] == 0
    assert samples["bongsu_source_up", ("nvml",)] == 1
    info = ("0", A, "NVIDIA H100 80GB HBM3", "00000000:01:00.0", "580.82.07", "13.0", "3", "off", "Hopper")
    assert samples["gpu_info", info] == 1
    assert absences == []


def test_what_is_not_told_is_absent_with_its_reason() -> None:
    """Never a zero; a later number takes the place of the absence."""
    denied = Gap(Why.FORBIDDEN, "nvmlGpmMetricsGet", "NVML_ERROR_NO_PERMISSION")
    collector, reader = of(look(gpu(0, {"gpu_fan_speed_ratio": UNSUPPORTED, "gpu_sm_activity_ratio": denied})))
    samples, absences = read(collector)
    assert [(a.spec.name, a.why, str(a.reason), str(a.cure or "")[:11]) for a in absences] == [
        ("gpu_fan_speed_ratio", Why.UNSUPPORTED,
         "this GPU or its driver does not offer it (nvmlDeviceGetFanSpeed: NVML_ERROR_NOT_SUPPORTED)", ""),
        ("gpu_sm_activity_ratio", Why.FORBIDDEN,
         "the driver does not allow it (nvmlGpmMetricsGet: NVML_ERROR_NO_PERMISSION)", "run as root"),
    ]  # fmt: skip
    assert ("gpu_fan_speed_ratio", ("0", A)) not in samples
    assert read(collector)[1] == absences
    reader.next = look(gpu(0, {"gpu_fan_speed_ratio": LOST}))
    assert [str(a.reason)[:26] for a in read(collector)[1]] == ["the GPU no longer answers "]
    reader.next = look(gpu(0))
    assert read(collector)[1] == []


@pytest.mark.parametrize("still", [(), ("gpu_power_watts",)])
def test_a_lost_gpu_is_absent_with_its_last_values(still: tuple[str, ...]) -> None:
    """It is down, its neighbour is not; what it still answers stands, all else is as it was last, and when."""
    collector, reader = of(look(gpu(0), gpu(1)))
    before, _ = read(collector)
    answers = tuple(value for value in gpu(0).values if value.name in still)
    reader.next = look(gpu(0, values=answers, failed=LOST, mig=None), gpu(1), time=TIME + 60)
    for _ in range(2):
        samples, absences = read(collector)
        assert (samples["gpu_up", ("0", A)], samples["gpu_up", ("1", B)]) == (0, 1)
        named = {(absence.spec.name, absence.labels[2:]) for absence in absences}
        assert named == {name for name in DEVICE_VALUES if name[0] not in still} | {("gpu_mig_mode", ())}
        assert {name for name, labels in samples if labels[:1] == ("0",)} == {"gpu_up", "gpu_info", *still}
        for absence in absences:
            assert (absence.why, absence.last_time) == (Why.LOST, TIME)
            assert absence.last == before[absence.spec.name, absence.labels]


def test_a_gpu_that_was_lost_before_we_came_says_why() -> None:
    """Two that tell no UUID any more are two; what one still answers is no absence."""
    power = tuple(value for value in gpu(0).values if value.name == "gpu_power_watts")
    lost = [replaced(gpu(index, values=power, failed=LOST, mig=None), uuid="") for index in (0, 1)]
    samples, absences = read(of(look(*lost))[0])
    for index in ("0", "1"):
        assert samples["gpu_up", (index, "")] == 0
        assert ("gpu_power_watts", (index, "")) in samples
        told = {a.spec.name for a in absences if a.labels == (index, "")}
        assert told == {name for name, spec in gpu_values.VALUES.items() if len(spec.labels) == 2} - {"gpu_power_watts"}
    assert {(a.why, a.last) for a in absences} == {(Why.LOST, None)}


def test_a_gpu_that_is_no_longer_listed_is_down() -> None:
    """The driver may leave a lost GPU out altogether; it must not vanish without a word."""
    collector, reader = of(look(gpu(0), gpu(1)))
    read(collector)
    reader.next = look(gpu(0))
    samples, absences = read(collector)
    assert (samples["gpu_up", ("0", A)], samples["gpu_up", ("1", B)]) == (1, 0)
    assert len(absences) == len(DEVICE_VALUES) + 1
    assert {str(absence.reason) for absence in absences} == {"the driver no longer lists this GPU"}


def test_a_sleeping_gpu_is_neither_up_nor_down() -> None:
    """It was not woken to be asked."""
    collector, _ = of(look(gpu(0, values=(), asleep=True)))
    samples, absences = read(collector)
    assert ("gpu_up", ("0", A)) not in samples
    assert [(absence.spec.name, absence.why) for absence in absences] == [("gpu_up", Why.MISSING)]


def test_an_index_that_moved_takes_the_series_along() -> None:
    """The UUID is the identity; after a restart of the driver the same GPU may have another number."""
    collector, reader = of(look(gpu(0), gpu(1)))
    read(collector)
    reader.next = look(replaced(gpu(1), index=0), replaced(gpu(0), index=1))
    samples, absences = read(collector)
    assert (samples["gpu_up", ("1", A)], samples["gpu_up", ("0", B)]) == (1, 1)
    assert absences == []
    assert not [labels for _, labels in samples if labels[:2] == ("0", A)]


def test_memory_of_a_gpu_instance_is_counted_once() -> None:
    """Two compute instances share it; slots are sparse, and an instance that is gone leaves nothing behind."""
    divided = gpu(0, mig=True, instances=(instance(1, 0), instance(1, 1), instance(9, used=UNSUPPORTED)))
    collector, reader = of(look(divided))
    samples, absences = read(collector)
    assert samples["gpu_mig_memory_used_bytes", ("0", A, "1")] == 5e9
    assert sum(name == "gpu_mig_memory_total_bytes" for name, _ in samples) == 2
    assert [(a.spec.name, a.labels) for a in absences] == [("gpu_mig_memory_used_bytes", ("0", A, "9"))]
    assert samples["gpu_mig_info", ("0_1_1", "MIG-1-1", A, "1", "1", "1g.10gb")] == 1
    assert samples["gpu_mig_slices", ("0_9_0", "MIG-9-0")] == 1
    assert samples["gpu_sm_activity_ratio", ("0_1_1", "MIG-1-1")] == [n for n, _ in INSTANCE_VALUES].index(
        "gpu_sm_activity_ratio"
    )
    reader.next = look(gpu(0, mig=True, instances=(instance(9),)))
    samples, absences = read(collector)
    assert absences == []
    assert not [labels for _, labels in samples if "MIG-1-0" in labels]


def test_errors_are_counted_by_their_number() -> None:
    """With the time of the last, since the first one of a number is not an increase."""
    collector, _ = of(look(gpu(0), gpu(1), xids=(Xid(B, 79, 2, TIME - 5), Xid(B, 31, 1, TIME - 9))))
    samples, _ = read(collector)
    assert samples["gpu_xid_errors_total", ("1", B, "79")] == 2
    assert samples["gpu_xid_last_timestamp_seconds", ("1", B, "31")] == TIME - 9
    assert not [labels for name, labels in samples if name.startswith("gpu_xid") and labels[1] == A]


def test_a_whole_gpu_has_its_owner() -> None:
    """Whose it is, as labels of one series; none where it is shared."""
    pod = Owner(OwnerKind.POD, "7d1", "train-0", "ml", "main", user="ana")
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1))), {A: pod}.get)
    owners = [labels for name, labels in read(collector)[0] if name == "gpu_owner_info"]
    assert owners == [("0", A, "pod", "7d1", "train-0", "ml", "main", "ana")]


def test_a_driver_that_hangs_gives_no_old_readings() -> None:
    """A few seconds are bridged; then all is absent, with its last values, and the source is down."""
    collector, reader = of(look(gpu(0)))
    before, _ = read(collector)
    reader.next = replaced(reader.next, stale_seconds=2.0)
    samples, _ = read(collector)
    assert samples["bongsu_source_stale_seconds", ("nvml",)] == 2
    assert samples["gpu_power_watts", ("0", A)] == before["gpu_power_watts", ("0", A)]
    reader.next = replaced(reader.next, stale_seconds=60.0)
    samples, absences = read(collector)
    assert samples == {("bongsu_source_up", ("nvml",)): 0, ("bongsu_source_stale_seconds", ("nvml",)): 60}
    assert {absence.spec.name for absence in absences} == {*gpu_values.VALUES, "gpu_up", "gpu_mig_mode"}
    with pytest.raises(NotKnown, match=r"the driver does not answer: it hangs; .*reboot"):
        list(collector.collect())


def test_a_driver_that_fails_is_an_error_with_its_cure() -> None:
    """Before and after GPUs were seen; those that were are absent, neither up nor down."""
    mismatch = Gap(Why.FAILED, "nvmlInit_v2", "NVML_ERROR_LIB_RM_VERSION_MISMATCH")
    collector, reader = of(look(error=mismatch))
    assert read(collector) == ({("bongsu_source_up", ("nvml",)): 0}, [])
    with pytest.raises(NotKnown, match=r"the driver failed \(nvmlInit_v2: .*MISMATCH\); the driver was exchanged"):
        list(collector.collect())
    reader.next = look(gpu(0))
    assert read(collector)[0]["gpu_up", ("0", A)] == 1
    reader.next = look(error=mismatch, cure=Message("turn it off and on"))
    samples, absences = read(collector)
    assert samples == {("bongsu_source_up", ("nvml",)): 0}
    assert len(absences) == len(DEVICE_VALUES) + 2
    assert {str(absence.cure) for absence in absences} == {"turn it off and on"}


def test_what_was_here_is_a_failure_for_a_collector_that_is_made_anew() -> None:
    """A reload makes collectors anew: the driver that went before it stays a failure, and each GPU keeps its last values."""
    before, reader = of(look(gpu(0), gpu(1)))
    read(before)
    reader.next = look(error=Gap(Why.MISSING, "nvmlInit_v2", "NVML_ERROR_DRIVER_NOT_LOADED"))
    anew = GpuCollector(MACHINE, reader, devices="1")
    with pytest.raises(NotKnown, match="DRIVER_NOT_LOADED"):
        list(anew.collect())
    samples, absences = read(anew)
    assert samples["bongsu_source_up", ("nvml",)] == 0
    assert {absence.labels[:2] for absence in absences} == {("1", B)}  # the other is not wanted any more
    memory = next(each for each in absences if each.spec.name == "gpu_memory_total_bytes")
    assert memory.last is not None
    assert memory.why is Why.MISSING
    reader.next = look(gpu(0))
    samples, _ = read(GpuCollector(MACHINE, reader))
    assert samples["gpu_up", ("0", A)] == 1
    assert samples["gpu_up", ("1", B)] == 0


def test_a_driver_without_gpus_is_no_error() -> None:
    """Its module is loaded and no card is there."""
    collector, _ = of(look())
    with pytest.raises(NoData, match="lists no GPU"):
        list(collector.collect())


@pytest.mark.parametrize("text", ["1", f" {B.upper()} ,", f"01,{B}"])
def test_only_the_devices_that_were_asked_for(text: str) -> None:
    """By number or UUID."""
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1))), devices=text)
    samples, absences = read(collector)
    assert {labels[1] for name, labels in samples if name.startswith("gpu_")} == {B}
    assert absences == []


def test_a_device_that_was_asked_for_and_is_not_there_is_told() -> None:
    """It may have died before the start, when nothing else remembers it."""
    missing = "GPU-ffff"
    collector = GpuCollector(MACHINE, Looks(look(gpu(0))), devices=f"0,7,{missing}")
    assert [(a.spec.name, a.labels, str(a.reason)) for a in read(collector)[1]] == [
        ("gpu_up", ("7", ""), "--collector.gpu.devices: the driver lists no GPU 7"),
        ("gpu_up", ("", "gpu-ffff"), "--collector.gpu.devices: the driver lists no GPU gpu-ffff"),
    ]


def test_fewer_gpus_than_expected_are_a_finding() -> None:
    """One that is lost does not count; as many as expected are nothing to speak of."""
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1))), count=2)
    samples, absences = read(collector)
    assert (samples["gpu_expected", ()], absences) == (2, [])
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1, values=(), failed=LOST))), count=2)
    (finding,) = (absence for absence in read(collector)[1] if absence.spec.name == "gpu_expected")
    assert str(finding.reason) == "1 of 2 GPUs answer"


def test_gpus_that_are_not_read_count_all_the_same() -> None:
    """Four should be there and two are read, as where someone else watches the rest: that is no finding; nor is a suspended one."""
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1, values=(), asleep=True))), count=2, devices="0")
    samples, absences = read(collector)
    assert (samples["gpu_answering", ()], absences) == (2, [])
    collector = GpuCollector(MACHINE, Looks(look(gpu(0), gpu(1, values=(), failed=LOST))), count=2, devices="0")
    samples, absences = read(collector)
    assert samples["gpu_answering", ()] == 1
    assert [str(absence.reason) for absence in absences] == ["1 of 2 GPUs answer"]


def test_of_a_driver_that_fails_no_gpu_answers() -> None:
    """So a rule on the two numbers fires for it too; where nothing is expected neither number is there."""
    failing = Looks(Snapshot(time=1.0, error=Gap(Why.FAILED, "nvmlInit", "NVML_ERROR_UNKNOWN")))
    samples, _ = read(GpuCollector(MACHINE, failing, count=4))
    assert (samples["gpu_expected", ()], samples["gpu_answering", ()]) == (4, 0)
    assert {name for name, _ in read(GpuCollector(MACHINE, failing))[0]} == {"bongsu_source_up"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": "0,all"}, "--collector.gpu.devices: 'all' is no GPU; give numbers or UUIDs"),
        ({"devices": "-1"}, "--collector.gpu.devices: '-1' is no GPU"),
        ({"count": -1}, "--collector.gpu.count: -1 is negative; give 0 or more"),
    ],
)
def test_options_that_cannot_be(options: dict[str, str | int], words: str) -> None:
    """One line that names the option, the value and the cure."""
    with pytest.raises(BadInput, match=words):
        GpuCollector(MACHINE, None, **options)  # type: ignore[arg-type]  # as a settings file may hold them


def test_prometheus_takes_the_text() -> None:
    """Its tool finds nothing to complain of, in names, helps, types and units."""
    divided = gpu(1, mig=True, instances=(instance(1), instance(9)))
    snapshot = look(gpu(0), divided, xids=(Xid(A, 79, 1, TIME),))
    collector = GpuCollector(MACHINE, Looks(snapshot), {A: Owner(OwnerKind.USER, "1000", "ana")}.get, count=2)
    gatherer = Gatherer([collector])
    try:
        text = Exposition().text(gatherer.gather(only=["gpu"]))
    finally:
        gatherer.close()
    names = {line.split()[2].decode() for line in text.splitlines() if line.startswith(b"# TYPE")}
    assert {spec.name for spec in (*gpu_values.VALUES.values(), *gpu_values.OTHERS)} <= names
    told = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, check=False, timeout=60)
    assert (told.returncode, told.stdout + told.stderr) == (0, b"")
