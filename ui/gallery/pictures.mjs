// Pictures of states of the window, in WebKitGTK: npm run screens FOLDER [STATE…]
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { visit } from "./visit.mjs";

const [folder, ...states] = process.argv.slice(2);
await mkdir(folder, { recursive: true });
await visit(states, async (window, name) => writeFile(join(folder, `${name}.png`), await window.picture()));
