import { expect, test } from "vitest";

import { showNoScreen, showScreen, type View } from "../src/lib/view";

test("a screen is shown by itself, and afterwards everything is as it was", () => {
  const view: View = { layout: "speaker", pinned: "ben" };
  const before = showScreen(view);
  expect(view).toEqual({ layout: "screen", pinned: null });
  showNoScreen(view, before);
  expect(view).toEqual({ layout: "speaker", pinned: "ben" });
});

test("what the person chose while a screen was shared stays", () => {
  const view: View = { layout: "speaker", pinned: "ben" };
  const before = showScreen(view);
  view.layout = "grid";
  showNoScreen(view, before);
  expect(view).toEqual({ layout: "grid", pinned: null });
  const again = showScreen(view);
  view.pinned = "chloe";
  showNoScreen(view, again);
  expect(view).toEqual({ layout: "grid", pinned: "chloe" });
});
