// Where the viewer is: everything that a link should bring back lies in the address.

import { computed, signal } from "@preact/signals";

export type View = "calls" | "alerts" | "wall";

const search = signal(new URLSearchParams(location.search));
addEventListener("popstate", () => (search.value = new URLSearchParams(location.search)));

/** One parameter of the address; empty where there is none. */
export const param = (key: string) => computed(() => search.value.get(key) ?? "");

/** Change parameters; empty ones leave the address. A step that can be gone back from, or not. */
export function go(changes: Record<string, string>, { replace = false } = {}): void {
  const next = new URLSearchParams(search.value);
  for (const [key, value] of Object.entries(changes)) {
    if (value) next.set(key, value);
    else next.delete(key);
  }
  const query = next.toString();
  const url = query ? `?${query}` : location.pathname;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  search.value = next;
}

export const view = computed<View>(() => {
  const wanted = search.value.get("view");
  return wanted === "alerts" || wanted === "wall" ? wanted : "calls";
});
export const openCall = param("call");
export const openAlert = param("alert");
