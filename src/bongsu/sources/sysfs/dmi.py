"""/sys/class/dmi/id: what the firmware says this machine is (ABI/testing/sysfs-firmware-dmi-entries)."""

from __future__ import annotations

from bongsu.sources.root import Root

FILES = (
    "bios_date", "bios_release", "bios_vendor", "bios_version", "board_asset_tag", "board_name", "board_serial",
    "board_vendor", "board_version", "chassis_asset_tag", "chassis_serial", "chassis_vendor", "chassis_version",
    "product_family", "product_name", "product_serial", "product_sku", "product_uuid", "product_version",
    "sys_vendor",
)  # fmt: skip


def read(sys: Root) -> dict[str, str]:
    """What of FILES can be read; serial numbers are for root only. Empty where the firmware has no DMI.

    Raises:
        OSError: a file fails in another way than being absent or forbidden.
    """
    found: dict[str, str] = {}
    if not sys.is_directory("class/dmi/id"):
        return found
    for name in FILES:
        try:
            value = sys.attribute(f"class/dmi/id/{name}")
        except PermissionError:
            continue
        if value is not None:
            found[name] = value
    return found
