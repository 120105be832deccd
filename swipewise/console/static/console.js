// The theme before anything is drawn, and the few things that need no server.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => {
    try {
      return localStorage.getItem("swipewise-theme");
    } catch {
      return null;
    }
  };
  const apply = () => {
    root.dataset.theme = stored() || (system.matches ? "dark" : "light");
    root.lang = root.lang || "en";
  };
  apply();
  system.addEventListener("change", apply);

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-theme-toggle]");
    if (toggle) {
      try {
        localStorage.setItem("swipewise-theme", root.dataset.theme === "dark" ? "light" : "dark");
      } catch {
        // Without storage the choice lasts as long as the page.
      }
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      return;
    }
    const menu = event.target.closest("[data-menu]");
    if (menu) {
      menu.setAttribute("aria-expanded", String(menu.closest(".side").classList.toggle("open")));
      return;
    }
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      document.getElementById(opener.dataset.opens)?.showModal();
      return;
    }
    if (event.target.closest("[data-closes]")) event.target.closest("dialog")?.close();
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-submits]");
    if (form) form.requestSubmit();
  });

  // A form that asks for nothing leaves nothing in the address.
  document.addEventListener("submit", (event) => {
    for (const field of event.target.querySelectorAll("input[name], select[name]")) {
      if (event.target.method === "get" && !field.value) field.disabled = true;
    }
  });
})();

// The player: keys and swipes press its buttons, so that each action has one way.
const swipewisePlayer = (() => {
  const video = () => document.querySelector(".screen video");
  const press = (key) => document.querySelector(`.stage [data-key="${key}"]`)?.click();
  const sound = () => {
    const button = document.querySelector("[data-sound]");
    const clip = video();
    if (!button || !clip) return;
    clip.muted = !clip.muted;
    button.setAttribute("aria-pressed", String(!clip.muted));
  };

  document.addEventListener("keydown", (event) => {
    if (!video() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key === " " && !event.target.closest("button, a, summary")) {
      video().paused ? video().play() : video().pause();
    } else if (event.key === "m") sound();
    else if (["l", "f", "s", "h", "c", "ArrowDown"].includes(event.key)) press(event.key);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-sound]")) sound();
    else if (event.target === video()) video().paused ? video().play() : video().pause();
  });

  let start = null;
  document.addEventListener("touchstart", (event) => {
    start = event.target.closest(".screen") ? event.changedTouches[0] : null;
  }, { passive: true });
  document.addEventListener("touchend", (event) => {
    if (!start) return;
    const x = event.changedTouches[0].clientX - start.clientX;
    const y = event.changedTouches[0].clientY - start.clientY;
    start = null;
    if (Math.max(Math.abs(x), Math.abs(y)) < 60) return;
    if (Math.abs(y) > Math.abs(x)) {
      if (y < 0) press("ArrowDown");
    } else press(x > 0 ? "l" : "s");
  }, { passive: true });

  return { watched: () => Math.round((video()?.currentTime || 0) * 100) / 100 };
})();
