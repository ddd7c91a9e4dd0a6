// Keeps the newest events on the page while somebody looks at it. The server only hints; the page asks.
const feed = document.querySelector("[data-live]");
if (feed && window.EventSource) {
  const GAP = 500; // milliseconds between two updates
  const state = document.querySelector("[data-live-state]");
  const button = document.querySelector("[data-live-pause]");
  const reload = document.querySelector("[data-live-reload]");
  let source = null, stopped = false, busy = false, again = false, last = 0;

  const say = (what) => {
    if (state.dataset.is === what) return;
    state.dataset.is = what;
    state.textContent = state.dataset[what];
    state.hidden = false;
    button.textContent = button.dataset[what === "on" || what === "lost" ? "pause" : "go"];
  };

  // Only what is new or has changed is touched, so that a selection and the focus stay where they are.
  const show = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    const first = feed.childElementCount === 0;
    let place = feed.firstElementChild;
    for (const line of [...template.content.children]) {
      const old = document.getElementById(line.id);
      if (!old) {
        if (!first) line.classList.add("fresh");
        feed.insertBefore(line, place);
        continue;
      }
      old.classList.remove("fresh");
      const kept = old.isEqualNode(line) ? old : line;
      if (old === place) place = place.nextElementSibling;
      if (kept === line) old.replaceWith(line);
      else if (old.nextElementSibling !== place) feed.insertBefore(old, place);
    }
    while (place) {
      const next = place.nextElementSibling;
      place.remove();
      place = next;
    }
    if (feed.childElementCount) document.querySelector("main > .empty")?.remove();
  };

  const refresh = async () => {
    if (busy) { again = true; return; }
    busy = true;
    await new Promise((done) => setTimeout(done, Math.max(0, last + GAP - Date.now())));
    last = Date.now();
    try {
      const answer = await fetch(feed.dataset.live, { headers: { "HX-Request": "true" } });
      if (answer.status === 401) return location.reload();
      if (answer.ok && !stopped) show(await answer.text());
    } catch { /* the stream says when the line is back */ }
    busy = false;
    if (again && !stopped) { again = false; refresh(); }
  };

  const close = (what) => {
    source?.close();
    source = null;
    if (what) say(what);
  };

  const open = () => {
    if (source || stopped || document.hidden) return;
    source = new EventSource(feed.dataset.stream);
    source.addEventListener("open", () => say("on"));
    source.addEventListener("moved", refresh);
    source.addEventListener("over", (event) => {
      if (event.data === "session") return location.reload();
      stopped = true;
      close("over");
    });
    source.addEventListener("error", () => {
      if (source?.readyState === EventSource.CLOSED) { stopped = true; close("full"); } else say("lost");
    });
  };

  button.addEventListener("click", () => {
    stopped = !stopped;
    if (stopped) close("paused"); else open();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", () => close());
  addEventListener("pageshow", open);
  button.hidden = false;
  reload.hidden = true;
  open();
}
