// Light, dark, or as the system has it.

const THEMES = [["", "As the system"], ["light", "Light"], ["dark", "Dark"]];
const THEME_KEY = "pytest-llem-theme";
const themed = [];

function kept() {
  try {
    return localStorage.getItem(THEME_KEY) || "";
  } catch {
    return "";
  }
}

function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  else delete document.documentElement.dataset.theme;
  try {
    localStorage.setItem(THEME_KEY, name);
  } catch {
    // nothing is kept where nothing may be
  }
  for (const listener of themed) listener();
}

function themeSwitch() {
  const select = make("select", { id: "theme", onchange: () => setTheme(select.value) },
    THEMES.map(([value, text]) => make("option", { value, text })));
  select.value = THEMES.some(([value]) => value === kept()) ? kept() : "";
  return make("label", { class: "label small", for: "theme" }, make("span", { text: "Theme", class: "muted" }), select);
}

function colour(name) {
  // A custom property keeps light-dark() as it is written; only a real one says the colour.
  const probe = find("[data-theme-switch]");
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.style.color = "";
  return found;
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  for (const listener of themed) listener();
});
