"""What happens when a run is over: its summary is kept and said in a few lines, its report goes where it was asked for."""

from __future__ import annotations

import os

from bongsu.model.run import RunReport
from bongsu.records.run_folder import ENDED, SUMMARY, write_whole
from bongsu.runs.output_name import filled
from bongsu.runs.plan import Plan
from bongsu.runs.reporting import keep, read_run
from bongsu.runs.saying import say, text
from bongsu.views.run_report import short


def conclude(plan: Plan) -> None:
    """Keep the summary in the run's folder, say it on standard error unless quiet, write the report that was asked for.

    Raises:
        OSError: what was recorded may not be read.
        BadInput: what was recorded cannot be read.
    """
    report = read_run(plan.folder, ENDED)
    if not plan.quiet:
        text(f"{short(report)}\n")
    try:
        keep(plan.folder, report)
    except OSError as error:  # a full disk
        reason = (error.strerror or str(error)).lower()
        say(f"{os.path.join(plan.folder, SUMMARY)}: {reason}; what is said of this run could not be kept. "
            f"When there is room: bongsu report recover {report.metadata.id}")  # fmt: skip
    known = report.metadata
    code = "unknown" if known.exit_code is None else str(known.exit_code)
    for template in plan.output:
        path = filled(template, plan.started, {"id": known.id, "name": known.name, "exit_code": code})
        try:
            write_whole(path, _written(report, path).encode("utf-8", "backslashreplace"))
        except OSError as error:
            say(f"--output {path}: {(error.strerror or str(error)).lower()}; try: bongsu report export {known.id} FILE")


def _written(report: RunReport, path: str) -> str:
    """The report in the format that the file's name ends in."""
    ending = os.path.splitext(path)[1]
    if ending == ".csv":
        from bongsu.runs.export_csv import text as csv  # noqa: PLC0415  one of three is needed

        return csv(report)
    if ending == ".html":
        from bongsu.views.run_html.page import page  # noqa: PLC0415  as above

        return page(report)
    from bongsu.runs.export_json import text as json  # noqa: PLC0415  as above

    return json(report)
