// Asks for parts of a page again. Without scripts nothing is missing: the page can be read again, and what a field
// proposes is found when the form is sent.

async function ask(address) {
  const answer = await fetch(address, { headers: { "HX-Request": "true" } }).catch(() => null);
  const elsewhere = answer?.headers.get("HX-Redirect");
  if (elsewhere) location.assign(elsewhere);
  if (!answer?.ok) return null;
  return new DOMParser().parseFromString(await answer.text(), "text/html").body.firstElementChild;
}

// <div data-refresh="/address" data-every="10">: each so many seconds, while somebody looks at the page and is not
// inside that part. What comes without the two is asked for no more.
function watch(part) {
  if (!part.dataset.refresh) return;
  const timer = setInterval(async () => {
    const busy = () => document.hidden || part.contains(document.activeElement);
    const fresh = busy() ? null : await ask(part.dataset.refresh);
    if (!fresh || busy() || !part.isConnected) return;
    clearInterval(timer);
    part.replaceWith(fresh);
    watch(fresh);
  }, part.dataset.every * 1000);
}
for (const part of document.querySelectorAll("[data-refresh]")) watch(part);

// <input data-part="id" data-from="/address" data-with="name slug">: when it has changed, the part with that id comes
// anew, for the values of those fields.
for (const field of document.querySelectorAll("[data-from]")) {
  field.addEventListener("change", async () => {
    const given = field.dataset.with.split(" ").map((name) => [name, field.form.elements[name].value]);
    const fresh = await ask(`${field.dataset.from}?${new URLSearchParams(given)}`);
    const part = document.getElementById(field.dataset.part);
    if (fresh && !part.contains(document.activeElement)) part.replaceWith(fresh);
  });
}
