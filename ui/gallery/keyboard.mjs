// A whole meeting by keys alone, in WebKit: every control is reached, the focus is always seen, never caught, and comes
// back to where it was. npm run keyboard
import assert from "node:assert/strict";

import { addressOf, READY, serve } from "./visit.mjs";
import { openWindow } from "./webkit.mjs";

const FOCUS = `
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const label = one.getAttribute("aria-label") ?? one.labels?.[0]?.innerText ?? one.innerText ?? "";
  return {
    name: label.trim().replace(/\\s+/g, " "),
    tag: one.localName,
    isSeen: style.outlineStyle === "solid" && style.outlineWidth === "2px" && one.getClientRects().length > 0,
    isInSheet: one.closest("dialog") !== null,
  };`;
const ASKED = "return JSON.parse(document.documentElement.dataset.asked)";

const server = await serve();
const window = await openWindow();
const focus = () => window.run(FOCUS);

async function until(what, holds) {
  const end = Date.now() + 5000;
  while (!(await holds())) assert(Date.now() < end, `${what} did not happen; the focus is on ${JSON.stringify(await focus())}`);
}

/** Goes with `key` until the control of this name has the focus; the focus is seen all the way. */
async function goTo(name, key = "Tab") {
  const way = [];
  for (let step = 0; step < 60; step += 1) {
    const now = await focus();
    if (now.name.startsWith(name)) return;
    way.push(now.name);
    await window.press(key);
    const next = await focus();
    // Between the last control and the first the page itself has it.
    assert(next.tag === "body" || next.isSeen, `the focus on ${next.name} cannot be seen`);
  }
  assert.fail(`${name} cannot be reached: ${way.join(", ")}`);
}

const focusOn = (name) => until(`the focus on ${name}`, async () => (await focus()).name.startsWith(name));
const orders = async () => (await window.run(ASKED)).filter(({ command }) => command === "order").map(({ order }) => order);
const ordered = (order) =>
  until(JSON.stringify(order), async () =>
    (await orders()).some((one) => Object.entries(order).every(([key, value]) => one[key] === value)),
  );

const asked = (command) => until(command, async () => (await window.run(ASKED)).some((one) => one.command === command));

async function walk() {
  await window.resize(1120, 720);
  await window.go(addressOf(server, "by-keyboard"));
  await window.runAsync(READY);

  await goTo("Settings");
  await window.press("Enter");
  await goTo("Begin with the microphone off");
  await window.press("Space", "Escape");
  await goTo("Start a meeting");
  await window.press("Enter");
  await focusOn("Your name");
  await goTo("Start the meeting");
  await window.press("Enter");

  // At the door.
  await until("the meeting", () => window.run("return document.querySelector('.bar') !== null"));
  await goTo("Let in Grace Hopper");
  await window.press("Enter");
  await ordered({ order: "admit", knock: 1 });

  // Sound and picture, by control, by shortcut, and for as long as a key is held.
  await goTo("Unmute");
  await window.press("Enter");
  await ordered({ order: "microphone", switch: "on" });
  await window.press("Control+d");
  await focusOn("Unmute");
  const before = (await orders()).filter(({ order }) => order === "microphone").length;
  await window.hold(["\uE009", " "], () => focusOn("Talking"));
  await focusOn("Unmute");
  assert.deepEqual(
    (await orders()).filter(({ order }) => order === "microphone").slice(before).map((one) => one.switch),
    ["on", "off"],
  );
  await window.press("Control+e");
  await ordered({ order: "camera", switch: "off" });

  // A panel, and a sheet above it that keeps the focus until it is closed.
  await window.press("Control+p");
  await focusOn("People");
  await goTo("Remove Ben Okafor");
  await window.press("Enter");
  await focusOn("Keep");
  for (let step = 0; step < 6; step += 1) {
    await window.press("Tab");
    const { tag, isInSheet } = await focus();
    assert(isInSheet || tag === "body", "the focus left the sheet");
  }
  await window.press("Escape");
  await focusOn("Remove Ben Okafor");
  await window.press("Enter");
  await goTo("Remove", "Shift+Tab");
  await window.press("Enter");
  await ordered({ order: "remove" });
  await focusOn("Remove Ben Okafor");
  await window.press("Escape");
  await focusOn("People");

  await window.press("Control+m");
  await focusOn("Message to everyone");
  await window.press("h", "e", "y", "Enter");
  await ordered({ order: "say", text: "hey" });
  await window.press("Escape");
  await focusOn("Chat");

  await window.press("Control+g");
  await focusOn("View");
  await goTo("Everybody alike");
  await window.press("Down");
  await focusOn("Who speaks is large");
  await window.press("Escape");
  await focusOn("View");
  await goTo("Keep Ben Okafor large");
  await window.press("Enter");

  await window.press("Control+i");
  await focusOn("Security");
  await goTo("Compare code");
  await window.press("Enter");
  await focusOn("Close");
  await window.press("Escape");
  await focusOn("Compare code");
  await window.press("Escape");
  await window.press("Control+/");
  await focusOn("Close");
  await window.press("Enter");

  // A screen is chosen, and shared until Stop.
  await window.press("Control+s");
  await focusOn("Cancel");
  await goTo("HDMI-1");
  await window.press("Space");
  await goTo("Share");
  await window.press("Enter");
  await asked("share");
  await goTo("Stop sharing");
  await window.press("Enter");
  await asked("stop_sharing");
  await focusOn("Share screen");

  await window.press("Control+h");
  await focusOn("Stay");
  await goTo("End meeting", "Shift+Tab");
  await window.press("Enter");
  await ordered({ order: "end" });
}

try {
  await walk();
} finally {
  await window.close();
  await server.close();
}
