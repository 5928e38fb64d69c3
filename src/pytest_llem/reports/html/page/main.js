// Begin.

setTheme(kept());
find("[data-run]").textContent = DATA.run;
find("[data-theme-switch]").append(themeSwitch());
readAddress();
const views = new Views();
listeners.push(() => views.render());
views.render();
themed.push(() => { if (views.speed && !views.sections.speed.hidden) views.speed.draw(); });

find("[data-skip]").addEventListener("click", (event) => {
  event.preventDefault();
  find("main").focus();
});

document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, select, textarea");
  if (event.key === "Escape" && state.open && !isTyping) go({ open: "" }, true);
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !state.open) {
    const input = find("section:not([hidden]) input[type=search]");
    if (input) {
      event.preventDefault();
      input.focus();
    }
  }
});
document.documentElement.dataset.ready = "true";
