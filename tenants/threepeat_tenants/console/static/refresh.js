// Asks for parts of a page again. Without scripts nothing is missing: the page can be read again, and what a field
// proposes is found when the form is sent.

async function ask(address, headers) {
  const answer = await fetch(address, { headers: { "HX-Request": "true", ...headers } }).catch(() => null);
  const elsewhere = answer?.headers.get("HX-Redirect");
  if (elsewhere) location.assign(elsewhere);
  if (!answer?.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
}

// <div data-refresh="/address" data-every="10">: each so many seconds, while somebody looks at the page and is not
// inside that part. What comes without the two is asked for no more. The server does not take it for somebody's doing.
function watch(part) {
  if (!part.dataset.refresh) return;
  const timer = setInterval(async () => {
    const busy = () => document.hidden || part.contains(document.activeElement);
    const fresh = busy() ? null : await ask(part.dataset.refresh, { "Threepeat-Unattended": "1" });
    if (!fresh || busy() || !part.isConnected) return;
    clearInterval(timer);
    part.replaceWith(fresh);
    watch(fresh);
  }, part.dataset.every * 1000);
}
for (const part of document.querySelectorAll("[data-refresh]")) watch(part);

// <input data-part="id" data-from="/address" data-with="name slug">: when it has changed, the part with that id comes
// anew, for the values of those fields, unless somebody has typed into it in the meantime.
for (const field of document.querySelectorAll("[data-from]")) {
  field.addEventListener("change", async () => {
    const given = field.dataset.with.split(" ").map((name) => [name, field.form.elements[name].value]);
    const part = document.getElementById(field.dataset.part);
    const typed = () => JSON.stringify([...part.querySelectorAll("input, select, textarea")].map((one) => one.value));
    const before = typed();
    const fresh = await ask(`${field.dataset.from}?${new URLSearchParams(given)}`);
    if (fresh && part.isConnected && typed() === before && !part.contains(document.activeElement)) part.replaceWith(fresh);
  });
}
