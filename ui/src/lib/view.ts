import type { Layout } from "./layout";

/** How the person looks at the meeting. */
export interface View {
  layout: Layout;
  /** Whom the person keeps large, for themselves. */
  pinned: string | null;
}

/** Shows the screen that somebody begins to share; gives how it was before. */
export function showScreen(view: View): View {
  const before = { ...view };
  view.layout = "screen";
  view.pinned = null;
  return before;
}

/** Shows nothing of a screen any more: all is as it was before, unless the person changed it meanwhile. */
export function showNoScreen(view: View, before: View): void {
  if (view.layout !== "screen") return;
  view.layout = before.layout;
  view.pinned ??= before.pinned;
}
