// Puts the page together.
theme();
data.charts.forEach(addChart);
tellRange();
byId("by-program").checked = data.processes.length > MANY;
const search = () => {
  arrange();
  processList.show(sought());
};
byId("find").addEventListener("input", search);
byId("by-program").addEventListener("change", arrange);
search();
new ResizeObserver(size).observe(gantt);
if (data.functions.length) {
  byId("functions").hidden = false;
  functionList.show(data.functions);
}
if (data.events.length) {
  byId("events").hidden = false;
  byId("events").querySelector("ul").append(...data.events.map(([when, what, text]) => {
    const line = document.createElement("li");
    line.textContent = `${at(when)}  ${what}: ${text}`;
    return line;
  }));
}
