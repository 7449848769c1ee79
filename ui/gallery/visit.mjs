// The gallery served to a WebKitGTK window.
import { createServer } from "vite";

import { openWindow } from "./webkit.mjs";

const variants = {
  light: { theme: "light", size: [1120, 720] },
  dark: { theme: "dark", size: [1120, 720] },
  german: { theme: "light", language: "de", size: [1120, 720] },
  mirrored: { theme: "light", direction: "rtl", size: [1120, 720] },
  narrow: { theme: "light", size: [800, 560] },
  // At 200 % a window of 1120 × 720 has this many CSS pixels.
  double: { theme: "light", size: [560, 360] },
};

export const READY = `
  const [done] = arguments;
  const still = () => Promise.all([document.fonts.ready, ...document.getAnimations().map(({ finished }) => finished)]);
  const look = () => (document.documentElement.dataset.ready ? still().then(() => done()) : requestAnimationFrame(look));
  look();`;

/** The address of a state, on a server of our own. */
export function addressOf(server, state, options = {}) {
  return `${server.resolvedUrls.local[0]}gallery/index.html?${new URLSearchParams({ state, theme: "light", ...options })}`;
}

export async function serve() {
  const server = await createServer({ configFile: "vite.gallery.config.ts", server: { host: "127.0.0.1", port: 0 }, logLevel: "error" });
  return server.listen();
}

/** Shows one state after the other, each once it is complete. A state is NAME or NAME.VARIANT; without any: all, light
 * and dark. */
export async function visit(asked, seen) {
  const server = await serve();
  const window = await openWindow();
  const show = async (one) => {
    const [state, variant = "light"] = one.split(".");
    const { theme, language = "en", direction = "", size } = variants[variant];
    await window.resize(...size);
    await window.go(addressOf(server, state, { theme, language, direction }));
    await window.runAsync(READY);
    return `${state}.${variant}`;
  };
  try {
    await show("home");
    const all = (await window.run("return document.documentElement.dataset.states")).split(" ");
    const states = asked.length > 0 ? asked : all.flatMap((state) => [state, `${state}.dark`]);
    for (const one of states) await seen(window, await show(one));
  } finally {
    await window.close();
    await server.close();
  }
}
