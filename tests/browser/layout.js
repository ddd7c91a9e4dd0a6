// What is wrong with the layout of the page that is open.
({ touch }) => {
  const found = [];
  const name = element => {
    const said = (element.getAttribute("aria-label") || element.textContent || element.getAttribute("name") || "");
    return `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") || ""}"> ` +
      said.trim().replace(/\s+/g, " ").slice(0, 60);
  };
  const seen = element => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const scrolls = element => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX)) return true;
    return false;
  };

  const root = document.scrollingElement;
  if (root.scrollWidth > innerWidth) {
    found.push(`wider than the window: ${root.scrollWidth} > ${innerWidth}`);
    for (const element of document.body.querySelectorAll("*"))
      if (seen(element) && element.getBoundingClientRect().right > innerWidth + 1 && !scrolls(element))
        found.push(`  sticks out: ${name(element)}`);
  }

  for (const element of document.body.querySelectorAll("*")) {
    if (!seen(element) || element.closest("svg, .visually-hidden")) continue;
    const style = getComputedStyle(element);
    const clips = side => ["hidden", "clip"].includes(side);
    if (element.clientWidth <= 1 || !element.textContent.trim()) continue;
    if (clips(style.overflowX) && element.scrollWidth > element.clientWidth + 1 && !element.title)
      found.push(`cut off at the side: ${name(element)}`);
    if (clips(style.overflowY) && element.scrollHeight > element.clientHeight + 2)
      found.push(`cut off below: ${name(element)}`);
  }

  if (touch) {
    const targets = "a[href], button, summary, select, textarea, input:not([type=hidden])";
    for (const element of document.body.querySelectorAll(targets)) {
      if (!seen(element) || element.matches(".skip, .visually-hidden")) continue;
      // A link inside a sentence is as high as its line.
      if (element.tagName === "A" && element.closest("p, li:not(nav li), dd, td, th, figcaption") &&
          !element.matches(".button")) continue;
      const marked = element.matches("[type=checkbox], [type=radio]") && element.closest("label");
      const box = (marked || element).getBoundingClientRect();
      if (box.width && box.height && (box.height < touch - 0.5 || box.width < touch - 0.5))
        found.push(`too small to touch, ${Math.round(box.width)} x ${Math.round(box.height)}: ${name(element)}`);
    }
  }
  return found;
}
