/** What keys do in a meeting. With Ctrl or Cmd, so that nothing happens by a stray letter; Space alone talks. */
export type Action = "microphone" | "camera" | "share" | "people" | "chat" | "security" | "view" | "leave" | "shortcuts";

export const KEYS: Readonly<Record<Action, string>> = {
  microphone: "d",
  camera: "e",
  share: "s",
  people: "p",
  chat: "m",
  security: "i",
  view: "g",
  leave: "h",
  shortcuts: "/",
};

export interface Keystroke {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** What a keystroke asks for. */
export function actionOf({ key, ctrlKey, metaKey, altKey, shiftKey }: Keystroke): Action | null {
  if (ctrlKey === metaKey || altKey) return null;
  // On many keyboards the slash needs Shift.
  if (shiftKey && key !== "/") return null;
  const actions = Object.keys(KEYS) as Action[];
  return actions.find((action) => KEYS[action] === key.toLowerCase()) ?? null;
}

/** Whether Space belongs to what has the focus: something to write in or to press. */
export function takesSpace(element: Element | null): boolean {
  return element?.closest("input, select, textarea, button, summary, a, [role=button]") !== null && element !== null;
}
