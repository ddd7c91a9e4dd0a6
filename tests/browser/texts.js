// Everything that the page says in its own language.
() => {
  const found = new Set();
  const add = text => { const plain = (text || "").replace(/\s+/g, " ").trim(); if (plain) found.add(plain); };
  const foreign = element => element.closest("code, pre, script, style, [translate=no]") ||
    (element.closest("[lang]") || document.documentElement).lang !== document.documentElement.lang;
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!foreign(walker.currentNode.parentElement)) add(walker.currentNode.data);
  for (const element of document.querySelectorAll("[aria-label], [placeholder], [title], [alt], [data-unit]"))
    if (!foreign(element))
      for (const name of ["aria-label", "placeholder", "title", "alt", "data-unit"]) add(element.getAttribute(name));
  for (const element of document.querySelectorAll("p, h1, h2, h3, h4, li, td, th, dt, dd, label, legend, button, a"))
    if (!foreign(element) && !element.querySelector("code, pre, [lang]")) add(element.innerText);
  return [...found];
}
