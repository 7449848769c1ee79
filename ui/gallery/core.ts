// Stands where Tauri's library stands in the app: the pages cannot tell.
import type { Failure } from "../src/lib/generated";

/** What the app tells its window through. */
export class Channel<T> {
  onmessage: (message: T) => void = () => {};
}

type Answer = (args: Record<string, unknown>) => unknown;

/** What is behind the window. */
interface Behind {
  answers: Record<string, Answer>;
  /** Commands that it refuses. */
  failures: Record<string, Failure>;
  /** Is told what the window asks for. */
  told: (command: string, args: Record<string, unknown>) => void;
}

export const behind: Behind = { answers: {}, failures: {}, told: () => {} };

export async function invoke<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  behind.told(command, args);
  const failure = behind.failures[command];
  if (failure) throw failure;
  return behind.answers[command]?.(args) as T;
}
