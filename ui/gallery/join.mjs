// The page behind https://…/j# links in WebKit: what it makes of a link, what it asks the server for, and the rules of
// axe-core. npm run join; with a FOLDER, pictures of it too.
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";

import { openWindow } from "./webkit.mjs";

const [folder] = process.argv.slice(2);
const page = await readFile(new URL("../../web/join/index.html", import.meta.url));
const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const payload = "AQ".repeat(36);

const asked = [];
const server = createServer(({ url }, answer) => {
  asked.push(url);
  answer.setHeader("Content-Type", "text/html").end(page);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${server.address().port}/j`;
const window = await openWindow();

/** What is seen of the page. */
async function look(name, fragment) {
  await window.go("about:blank");
  await window.go(`${address}#${fragment}`);
  // The page's policy allows no code that is made of text, so the rules come with the question.
  const violations = await window.runAsync(
    `const done = arguments[0]; ${axe}; axe.run(document).then(({ violations }) => done(violations.map(({ help }) => help)));`,
  );
  assert.deepEqual(violations, [], name);
  if (folder) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${name}.png`), await window.picture());
  }
  return window.run(`
    const shown = [...document.querySelectorAll("main:not([hidden]) section")].filter((one) => !one.hidden);
    const main = document.querySelector("main:not([hidden])");
    return { link: main.querySelector("section:not([hidden]) .open")?.href ?? null, server: main.querySelector(".server").textContent,
      language: main.lang, title: main.querySelector("h1").textContent, sections: shown.length, address: location.href };`);
}

try {
  await window.resize(1120, 720);
  assert.deepEqual(await look("join", `meet.court.example:7443/${payload}`), {
    link: `incamera://meet.court.example:7443/#${payload}`,
    server: "meet.court.example:7443",
    language: "en",
    title: "You are invited to a meeting",
    sections: 2,
    address,
  });
  for (const fragment of ["", "meet.court.example", `a b/${payload}`, `x/${payload}"><b>`, `javascript:alert(1)//${payload}`]) {
    const { link, address: after } = await look("join-broken", fragment);
    assert.deepEqual([link, after], [null, address], fragment);
  }
  assert.deepEqual([...new Set(asked)], ["/j"], "nothing but the page is asked for");
} finally {
  await window.close();
  server.close();
}
