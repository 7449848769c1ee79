import { de } from "../messages/de";
import { en, type Message } from "../messages/en";
import { failures } from "../messages/failures.de";

export type Key = keyof typeof en;
export type Values = Readonly<Record<string, string | number>>;

export const languages = { en, de } as const;
export type Language = keyof typeof languages;

/** The first language that the person prefers and that is there. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split("-")[0];
    if (base === "en" || base === "de") return base;
  }
  return "en";
}

export type Text = (key: Key, values?: Values) => string;

/** The texts of a language. `count` chooses between one and other. */
export function texts(language: Language): Text {
  const messages: Record<Key, Message> = languages[language];
  const plural = new Intl.PluralRules(language);
  return (key, values = {}) => {
    const message = messages[key];
    const form =
      typeof message === "string" ? message : plural.select(Number(values.count)) === "one" ? message.one : message.other;
    // One pass: what is put in is never looked at again, whatever a name contains.
    return form.replace(/\{(\w+)\}/g, (hole, name: string) => isolated(String(values[name] ?? hole)));
  };
}

/** Letters that are read from right to left. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1eeff}]/u;

/** A name in letters of the other direction keeps its order to itself (UAX 9, FSI and PDI). */
function isolated(value: string): string {
  return RIGHT_TO_LEFT.test(value) ? `\u2068${value}\u2069` : value;
}

const ofSystem = preferred(typeof navigator === "undefined" ? [] : navigator.languages);

/** The language that is spoken. What was said already is said anew by whoever shows it. */
export let language: Language = ofSystem;
let current = texts(language);

export function speak(wanted: Language | "system"): Language {
  language = wanted === "system" ? ofSystem : wanted;
  current = texts(language);
  return language;
}

export const t: Text = (key, values) => current(key, values);

interface Told {
  code: string;
  /** What happened. */
  what: string;
  /** What to do. */
  advice: string;
}

/** What the app tells in English, in the language that is spoken; what a language has no words for stays as it is. */
export function inWords({ code, what, advice }: Told): Pick<Told, "what" | "advice"> {
  const [happened, next] = (language === "de" ? failures[code] : undefined) ?? [what, advice];
  const begun = happened.charAt(0).toLocaleUpperCase(language) + happened.slice(1);
  return { what: /[.!?…]$/.test(begun) ? begun : `${begun}.`, advice: next };
}

/** `846 kB`, or `12.3 MB`. */
export function size(bytes: number): string {
  const [unit, divisor, digits] = bytes < 999_500 ? (["kilobyte", 1e3, 0] as const) : (["megabyte", 1e6, 1] as const);
  return new Intl.NumberFormat(language, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: digits,
  }).format(bytes / divisor);
}

/** `4:07`, or `1:02:33`. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const two = (number: number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** `42 min`, `1 hr 10 min`, or `34 sec`: how long something took that is over. */
export function lasting(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const units = { hour: hours, minute: minutes, second: hours + minutes === 0 ? seconds : 0 };
  const parts = Object.entries(units).filter(([unit, count]) => count > 0 || (unit === "second" && seconds === 0));
  return parts
    .map(([unit, count]) => new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(count))
    .join(" ");
}

export function clockTime(milliseconds: number): string {
  return new Intl.DateTimeFormat(language, { timeStyle: "short" }).format(milliseconds);
}

/** Up to two letters that stand for a person without a picture. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0]];
  return letters
    .map((word) => [...(word ?? "")][0] ?? "")
    .join("")
    .toLocaleUpperCase(language);
}

/** `today, 14:05`, `yesterday, 14:05` or `3 March, 14:05`. */
export function dayTime(milliseconds: number, now: number): string {
  const days = Math.round((midnight(milliseconds) - midnight(now)) / 86_400_000);
  const day =
    days > -2
      ? new Intl.RelativeTimeFormat(language, { numeric: "auto" }).format(days, "day")
      : new Intl.DateTimeFormat(language, { day: "numeric", month: "long" }).format(milliseconds);
  return `${day}, ${clockTime(milliseconds)}`;
}

function midnight(milliseconds: number): number {
  return new Date(milliseconds).setHours(0, 0, 0, 0);
}

/** `Ben, Chloé and Dai`. */
export function listed(names: readonly string[]): string {
  return new Intl.ListFormat(language).format(names);
}
