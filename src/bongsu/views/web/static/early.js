// Before the first paint: light or dark, by the address, else by what was chosen here before, else by the system.
{
  let kept = null;
  try {
    kept = localStorage.getItem("theme");
  } catch { /* a browser that keeps nothing */ }
  const asked = [new URLSearchParams(location.search).get("theme"), kept].find((name) => name === "light" || name === "dark");
  const root = document.documentElement;
  root.dataset.choice = asked ?? "system";
  root.dataset.theme = asked ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}
