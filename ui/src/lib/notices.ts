import type { AppEvent, Notice } from "./generated";
import { legible } from "./legible";
import { t } from "./text";

/** Who we are, and what a notification depends on besides. */
export interface Surroundings {
  own: string | undefined;
  isSharing: boolean;
  isHeldHere: boolean;
}

/**
 * What the desktop tells a person who looks elsewhere. While the screen is shared the others see it too: then neither names
 * nor what was written are in it.
 */
export function noticeOf(event: AppEvent, { own, isSharing, isHeldHere }: Surroundings): Notice | null {
  switch (event.event) {
    case "knocked":
      return {
        topic: "knock",
        title: isSharing ? t("notice.knock.anybody") : t("knock.asks", { name: event.name }),
        text: "",
      };
    case "chat_received":
      if (event.line.member === own) return null;
      return {
        topic: "chat",
        title: isSharing ? t("notice.chat.anybody") : t("notice.chat", { name: event.line.name }),
        text: isSharing ? "" : legible(event.line.text),
      };
    case "slept":
      return isHeldHere ? { topic: "sleep", title: t("notice.sleep"), text: t("notice.sleep.note") } : null;
    default:
      return null;
  }
}
