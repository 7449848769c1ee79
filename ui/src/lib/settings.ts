import type { Settings } from "./generated";

/** Those of a new settings file. */
export const NEW_SETTINGS: Settings = {
  name: "",
  language: "system",
  appearance: "system",
  remember_meetings: "not_asked",
  start_muted: false,
  start_without_picture: false,
  devices: { microphone: "", speaker: "", camera: "" },
  sounds: { join: true, leave: true, knock: true, problem: true },
  notifications: "on",
  server: { address: "", token: "", key: "" },
};
