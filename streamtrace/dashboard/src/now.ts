// The time, for what goes on between two frames of the feed.

import { signal } from "@preact/signals";

export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 1_000);
