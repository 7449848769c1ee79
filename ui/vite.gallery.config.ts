import { fileURLToPath } from "node:url";

import { mergeConfig } from "vitest/config";

import app from "./vite.config";

/** The gallery: the app's pages with `gallery/core.ts` in the place of Tauri's library. Built, it is what `./dev bench
 * desktop` shows in a window of Tauri. */
export default mergeConfig(app, {
  resolve: { alias: { "@tauri-apps/api/core": fileURLToPath(new URL("gallery/core.ts", import.meta.url)) } },
  build: { outDir: "dist-gallery", rollupOptions: { input: "gallery/index.html" } },
});
