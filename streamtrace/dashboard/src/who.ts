// Who sits in front of the page: whoever signed in, or else whose name is typed.

import { computed, signal } from "@preact/signals";

export interface Session { name: string | null; role: "viewer" | "operator" }

const KEY = "streamtrace-operator";

/** What the server said of us; nobody has a name where reading is not locked. */
export const session = signal<Session | "asking" | "locked">("asking");

const typed = signal(localStorage.getItem(KEY) ?? "");
const admitted = computed(() => (typeof session.value === "object" ? session.value : null));

/** The server writes the session's name under every decision, whatever is typed. */
export const isSignedIn = computed(() => admitted.value?.name != null);
export const operator = computed(() => admitted.value?.name ?? typed.value);
export const mayDecide = computed(() => admitted.value?.role === "operator");

export function typeName(name: string): void {
  typed.value = name;
  localStorage.setItem(KEY, name);
}
