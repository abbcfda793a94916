"""Readings of GPUs under dcgm-exporter's names, and the file that selects them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace as replaced

from bongsu.collectors import gpu_dcgm
from bongsu.collectors.gpu import GpuCollector
from bongsu.collectors.gpu_dcgm_file import fields
from bongsu.model.batch import Absence, Sample, Why
from bongsu.model.errors import BadInput
from bongsu.model.metric import Kind
from bongsu.model.owner import Owner, OwnerKind
from bongsu.sources.nvml.reading import Snapshot, Xid
from bongsu.sources.nvml.values import DEVICE_VALUES
from bongsu.sources.root import Machine
from gpu_by_hand import LOST, TIME, UNSUPPORTED, UUIDS, Given, Looks, gpu, instance, look
from kernel_tree import Tree

A, B = UUIDS
GIVEN: Given = {
    ("gpu_clock_hertz", "sm"): 1.98e9, ("gpu_temperature_celsius", "gpu"): 41.0, "gpu_power_watts": 66.12,
    "gpu_energy_joules_total": 123456.789, "gpu_utilization_ratio": 0.57, "gpu_memory_used_bytes": 8 * 2.0**30,
    "gpu_memory_free_bytes": 71.5 * 2.0**30, "gpu_tensor_activity_ratio": 0.125,
}  # fmt: skip


def read(path: Path, snapshot: Snapshot, *, owners: dict[str, Owner] | None = None, **options: str) -> tuple[
    dict[tuple[str, str, str], tuple[float, dict[str, str]]], list[Absence]
]:  # fmt: skip
    """Aliases by name, GPU and its instance: value and the labels that are not empty; and their absences."""
    tree = Tree(path)
    tree.write({"proc/sys/kernel/hostname": "gpu-7\n", "proc/sys/kernel/domainname": "(none)\n"})
    collector = GpuCollector(tree.machine, Looks(snapshot), (owners or {}).get, **(options or {"profile": "dcgm"}))  # type: ignore[arg-type]  # texts only
    found, absences = {}, []
    for item in collector.collect():
        assert isinstance(item, Sample | Absence)
        if item.spec.name.startswith("DCGM_"):
            labels = {name: value for name, value in zip(item.spec.labels, item.labels, strict=True) if value}
            if isinstance(item, Absence):
                absences.append(item)
                continue
            key = (item.spec.name, labels["gpu"], labels.get("GPU_I_ID", ""))
            assert key not in found
            found[key] = (item.value, labels)
    return found, absences


def test_every_field_is_made_of_a_figure_that_there_is() -> None:
    """A name of ours that was spelled wrong would leave a field empty for ever; no field stands twice."""
    figures = {(name, *labels) for name, labels in DEVICE_VALUES}
    assert [field.spec.name for field in gpu_dcgm.FIELDS if field.figure not in figures] == []
    names = [spec.name for spec in gpu_dcgm.SPECS]
    assert len(set(names)) == len(names)


def test_names_units_and_labels_are_dcgms(tmp_path: Path) -> None:
    """MHz, degrees, W, mJ, percent and MiB; the labels that dcgm-exporter prints, on Kubernetes and beside Slurm."""
    owners = {
        A: Owner(OwnerKind.POD, "7d1", "train-0", "ml", "main", user="ana"),
        B: Owner(OwnerKind.SLURM, "4711", "sweep", user="ben"),
    }
    found, absences = read(
        tmp_path, look(gpu(0, GIVEN), gpu(1), xids=(Xid(A, 79, 1, TIME), Xid(A, 31, 9, TIME - 9))), owners=owners
    )
    values = {name: value for (name, gpu_, _), (value, _) in found.items() if gpu_ == "0"}
    wanted = {
        "SM_CLOCK": 1980, "GPU_TEMP": 41, "POWER_USAGE": 66.12, "TOTAL_ENERGY_CONSUMPTION": 123456789, "GPU_UTIL": 57,
        "FB_USED": 8192, "FB_FREE": 73216, "XID_ERRORS": 79,
    }  # fmt: skip
    assert {name: values[f"DCGM_FI_DEV_{name}"] for name in wanted} == wanted
    assert values["DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"] == 0.125
    assert found["DCGM_FI_DEV_XID_ERRORS", "1", ""][0] == 0
    assert set(values) == set(gpu_dcgm.USUAL)
    assert found["DCGM_FI_DEV_GPU_TEMP", "0", ""][1] == {
        "gpu": "0", "UUID": A, "pci_bus_id": "00000000:01:00.0", "device": "nvidia0",
        "modelName": "NVIDIA H100 80GB HBM3", "Hostname": "gpu-7", "DCGM_FI_DRIVER_VERSION": "580.82.07",
        "container": "main", "namespace": "ml", "pod": "train-0",
    }  # fmt: skip
    assert found["DCGM_FI_DEV_GPU_TEMP", "1", ""][1]["hpc_job"] == "4711"
    assert absences == []
    kinds = {spec.name: spec.kind for spec in gpu_dcgm.SPECS}
    assert kinds["DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"] is Kind.COUNTER
    assert kinds["DCGM_FI_DEV_ROW_REMAP_FAILURE"] is Kind.GAUGE


def test_a_divided_gpu_has_memory_by_instance(tmp_path: Path) -> None:
    """Once for a GPU instance, never again for the whole, so that a sum is right; power is the whole GPU's."""
    first, second = (replaced(instance(1, number), profile="1c.2g.20gb") for number in (0, 1))
    divided = gpu(0, mig=True, instances=(first, second, instance(9, used=UNSUPPORTED)))
    found, absences = read(tmp_path, look(divided))
    used = {key: one for key, one in found.items() if key[0] == "DCGM_FI_DEV_FB_USED"}
    assert {key[2]: value for key, (value, _) in used.items()} == {"1": round(5e9 / 2**20, 6)}
    assert used["DCGM_FI_DEV_FB_USED", "0", "1"][1]["GPU_I_PROFILE"] == "2g.20gb"
    assert [key[2] for key in found if key[0] == "DCGM_FI_DEV_POWER_USAGE"] == [""]
    assert ("DCGM_FI_PROF_DRAM_ACTIVE", "0", "9") in found
    assert [(a.spec.name, a.why) for a in absences] == [
        ("DCGM_FI_DEV_FB_USED", Why.UNSUPPORTED), ("DCGM_FI_DEV_FB_FREE", Why.UNSUPPORTED),
    ]  # fmt: skip


def test_a_gap_or_a_lost_gpu_is_no_zero(tmp_path: Path) -> None:
    """Of a GPU that is lost nothing is told under these names, as dcgm-exporter does."""
    lost = gpu(1, values=(), failed=LOST)
    found, absences = read(tmp_path, look(gpu(0, {"gpu_power_watts": UNSUPPORTED}), lost))
    assert ("DCGM_FI_DEV_POWER_USAGE", "0", "") not in found
    assert [absence.spec.name for absence in absences] == ["DCGM_FI_DEV_POWER_USAGE"]
    assert {key[1] for key in found} == {"0"}


def test_without_the_profile_there_are_none() -> None:
    """Twice as many series are for those who want them."""
    samples = GpuCollector(Machine.at(), Looks(look(gpu(0)))).collect()
    assert not [item for item in samples if isinstance(item, Sample) and item.spec.name.startswith("DCGM")]


def test_a_file_selects_fields(tmp_path: Path) -> None:
    """In the format of dcgm-exporter's own files; what is not read is absent by its name, not an error."""
    file = tmp_path / "fields.csv"
    file.write_text(
        "# Format,,\n# DCGM FIELD, Prometheus metric type, help message\n\n"
        "DCGM_FI_DEV_SM_CLOCK,  gauge, SM clock frequency (in MHz).\nDCGM_FI_DEV_DEC_UTIL ,     gauge, Decoder.\n"
        'DCGM_FI_DEV_PSTATE, gauge, "P-state, 0 to 15"\r\nDCGM_FI_DRIVER_VERSION, label, Driver Version\n'
        "DCGM_FI_DEV_VGPU_LICENSE_STATUS, gauge, vGPU\nDCGM_FI_DEV_SM_CLOCK, gauge, again\n"
    )
    found, absences = read(tmp_path, look(gpu(0)), fields=str(file))
    assert {name for name, _, _ in found} == {"DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_DEC_UTIL", "DCGM_FI_DEV_PSTATE"}
    assert [(a.spec.name, str(a.reason)) for a in absences] == [
        ("DCGM_FI_DEV_VGPU_LICENSE_STATUS", "DCGM_FI_DEV_VGPU_LICENSE_STATUS is not read here")
    ]


def test_a_mark_before_the_first_field_is_none_of_its_name(tmp_path: Path) -> None:
    """A spreadsheet may save the file with a byte order mark and line ends of its own."""
    file = tmp_path / "fields.csv"
    file.write_bytes(b"\xef\xbb\xbfDCGM_FI_DEV_SM_CLOCK, gauge, Clock\r\nDCGM_FI_DEV_GPU_TEMP, gauge, Heat\r\n")
    assert fields(str(file), "--collector.gpu.fields") == ("DCGM_FI_DEV_SM_CLOCK", "DCGM_FI_DEV_GPU_TEMP")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"# a\nDCGM_FI_DEV_SM_CLOCK, gauge\n", ":2: 2 parts where there must be three; give `name, type, help`"),
        (b"DCGM_FI_DEV_SM_CLOCK, gauge, a, b\n", ":1: 4 parts where there must be three"),
        (b"gpu_power_watts, gauge, a\n", ":1: 'gpu_power_watts' is no field of DCGM; give a name such as"),
        (b"DCGM_FI_DEV_SM_CLOCK, guage, a\n", ":1: 'guage' is no type; give one of gauge, counter, label"),
        (b'DCGM_FI_DEV_SM_CLOCK, gauge, "a\n', ":1: unexpected end of data; give `name, type, help`"),
        (b"# nothing\n", ": no field stands in it"),
        (b"DCGM_FI_\xff\n", ": this is no text in UTF-8"),
        (b"#" * (1 << 20) + b"##", ": more than 1 MiB"),
        (None, ": No such file or directory; give a file with a line"),
    ],
)
def test_a_bad_file_is_told_by_its_line(tmp_path: Path, text: bytes | None, words: str) -> None:
    """The option, the file, the line and what belongs there."""
    file = tmp_path / "f.csv"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(BadInput) as caught:
        fields(str(file), "--collector.gpu.fields")
    assert str(caught.value).startswith(f"--collector.gpu.fields {file}{words}")


def test_a_profile_that_is_not_there() -> None:
    """Its name is told, and the one that there is."""
    with pytest.raises(BadInput, match=r"--collector.gpu.profile: there is no profile 'DCGM'; give dcgm"):
        GpuCollector(Machine.at(), None, profile="DCGM")
