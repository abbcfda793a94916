// Before the first paint: light or dark, by the address, else by what was chosen here before, else by the system; and
// what to do where a part of the page does not come.
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

// A browser gives up what it loads when a network comes or goes, as with each container that starts: without one script
// there is no page, so all are asked for again.
{
  const MOST = 10;
  const WAIT = 1000; // ms
  const retry = (event) => {
    if (!(event.target instanceof HTMLScriptElement)) return;
    removeEventListener("error", retry, true);
    try {
      const tries = Number(sessionStorage.getItem("tries")) + 1;
      sessionStorage.setItem("tries", tries);
      if (tries <= MOST) setTimeout(() => location.reload(), WAIT);
    } catch { /* a browser that keeps nothing would try for ever */ }
  };
  addEventListener("error", retry, true);
}
