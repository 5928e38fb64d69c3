// The run, the machine, and what was installed.

async function environment(element) {
  const sections = await unpacked(DATA.about);
  element.replaceChildren(
    make("h1", { id: "about-heading", tabindex: "-1", text: "Run and machine" }),
    make("div", { class: "facts" }, DATA.head.map((text) => make("p", { text }))),
    make("div", { class: "columns" }, sections.filter(([, entries]) => entries.length).map(([title, entries]) =>
      make("section", {}, make("h2", { text: title }), pairs(entries)))));
  element.dataset.ready = "true";
}
