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

// A clip that the browser cannot play says so where it would be.
for (const name of ["error", "loadeddata"]) {
  document.addEventListener(name, (event) => {
    if (!(event.target instanceof HTMLVideoElement) || !event.target.parentElement) return;
    if (name === "error") event.target.parentElement.dataset.unplayable = "This browser cannot play the clip.";
    else delete event.target.parentElement.dataset.unplayable;
  }, true);
}

// Frames and loudness of a clip, drawn here so that no server decodes for a page.
(() => {
  const frames = async (place) => {
    const clip = document.createElement("video");
    clip.muted = true;
    clip.preload = "auto";
    clip.src = place.dataset.frames;
    await new Promise((resolve, reject) => {
      clip.onloadeddata = resolve;
      clip.onerror = reject;
    });
    for (let number = 0; number < 6; number++) {
      clip.currentTime = ((number + 0.5) / 6) * clip.duration;
      await new Promise((resolve) => (clip.onseeked = resolve));
      const canvas = document.createElement("canvas");
      canvas.width = 90;
      canvas.height = Math.round((90 * clip.videoHeight) / clip.videoWidth);
      canvas.getContext("2d").drawImage(clip, 0, 0, canvas.width, canvas.height);
      place.append(canvas);
    }
    clip.removeAttribute("src");
  };
  const wave = async (place) => {
    const bytes = await (await fetch(place.dataset.wave)).arrayBuffer();
    const sound = await new OfflineAudioContext(1, 1, 16000).decodeAudioData(bytes);
    const samples = sound.getChannelData(0);
    const bars = Array.from({ length: 120 }, (_, bar) => {
      const part = samples.subarray((bar * samples.length) / 120, ((bar + 1) * samples.length) / 120);
      return Math.sqrt(part.reduce((sum, each) => sum + each * each, 0) / Math.max(1, part.length));
    });
    const top = Math.max(...bars, 1e-6);
    const drawn = bars.map((loud, bar) => {
      const height = Math.max(1, (44 * loud) / top);
      return `<rect x="${bar * 5}" y="${24 - height / 2}" width="3" height="${height}" rx="1.5"/>`;
    });
    place.innerHTML = `<svg viewBox="0 0 600 48" preserveAspectRatio="none" fill="currentColor">${drawn.join("")}</svg>`;
  };
  const none = (place, text) => () => {
    place.innerHTML = "";
    place.append(Object.assign(document.createElement("span"), { className: "muted", textContent: text }));
  };
  const begin = () => {
    for (const place of document.querySelectorAll("[data-frames]:empty")) {
      if (!place.dataset.begun) frames(place).catch(none(place, "no picture"));
      place.dataset.begun = "1";
    }
    for (const place of document.querySelectorAll("[data-wave]:empty")) {
      if (!place.dataset.begun) wave(place).catch(none(place, "no sound"));
      place.dataset.begun = "1";
    }
  };
  addEventListener("load", () => new MutationObserver(begin).observe(document.body, { childList: true, subtree: true }));
  addEventListener("load", begin);
})();
