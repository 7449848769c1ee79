// Every state of the window, light and dark: no rule of axe-core is broken, and docs/ui.md lists its controls.
// npm run axe [STATE…]; UPDATE=1 writes docs/ui.md anew.
import { readFile, writeFile } from "node:fs/promises";

import { visit } from "./visit.mjs";

const axe = await readFile(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const list = new URL("../../docs/ui.md", import.meta.url);

const RUN = `
  const [source, done] = arguments;
  new Function(source)();
  axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => {
    axe.setup(document);
    const { aria, text, dom } = axe.commons;
    const controls = [...document.querySelectorAll("button, input, select, textarea, summary")]
      .filter((one) => dom.isVisibleToScreenReaders(one))
      .map((one) => [
        one.localName === "summary" ? "button" : aria.getRole(one),
        text.accessibleText(one).replaceAll("\\u00a0", " ").replace(/[\\u2068\\u2069]/g, ""),
      ]);
    axe.teardown();
    done({
      controls,
      violations: violations.map(({ id, help, nodes }) => id + ": " + help + nodes.map(({ html }) => "\\n    " + html).join("")),
    });
  });`;

let isBroken = false;
const rows = new Map();
await visit(process.argv.slice(2), async (window, name) => {
  const { controls, violations } = await window.runAsync(RUN, axe);
  for (const violation of violations) {
    isBroken = true;
    console.error(`${name}: ${violation}`);
  }
  const [state] = name.split(".");
  for (const [role, label] of controls) {
    const row = `| ${role} | ${label} |`;
    if (!rows.has(row)) rows.set(row, state);
  }
});

if (process.argv.length === 2) {
  const text = `# Controls of the app

Every control of the window by its role and accessible name, and the first state of \`ui/gallery/states.ts\` that shows it. Made
by \`UPDATE=1 npm run axe\` in \`ui/\`; \`./dev test\` compares. A number after *People* or *Chat* counts people or unread lines.

| state | role | name |
|---|---|---|
${[...rows].map(([row, state]) => `| ${state} ${row}`).join("\n")}
`;
  if (process.env.UPDATE === "1") await writeFile(list, text);
  else if ((await readFile(list, "utf8")) !== text) {
    isBroken = true;
    console.error("docs/ui.md does not list the controls as they are: UPDATE=1 npm run axe");
  }
}
if (isBroken) process.exitCode = 1;
