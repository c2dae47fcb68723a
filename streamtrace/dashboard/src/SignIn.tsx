// Where reading is locked: the page waits behind a form, and shows it again when a session has ended.

import { effect, signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { address, detailOf } from "./api";
import { link } from "./calls";
import { session, type Session } from "./who";

const problem = signal("");
const AGAIN_MS = 3_000;
let begin: (() => void) | null = null;

/** Ask who we are; `onAdmitted` is called once, as soon as the server lets us read. */
export function admit(onAdmitted: () => void): void {
  begin = onAdmitted;
  void ask();
}

async function ask(): Promise<void> {
  try {
    const answer = await fetch(address("v1/session"));
    if (answer.status === 401) session.value = "locked";
    else if (answer.ok) admitted((await answer.json()) as Session);
    else if (answer.status === 404) admitted({ name: null, role: "operator" }); // a server without locks
    else setTimeout(() => void ask(), AGAIN_MS);
  } catch {
    setTimeout(() => void ask(), AGAIN_MS); // a server that is not there yet
  }
}

function admitted(by: Session): void {
  session.value = by;
  begin?.();
  begin = null;
}

/** A lost connection may be a session that has ended. */
effect(() => {
  if (link.value === "lost" && typeof session.peek() === "object") void ask();
});

async function signIn(event: SubmitEvent): Promise<void> {
  event.preventDefault();
  const form = event.currentTarget as HTMLFormElement;
  problem.value = "";
  try {
    const answer = await fetch(address("v1/session"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: String(new FormData(form).get("token")) }),
    });
    if (answer.ok) admitted((await answer.json()) as Session);
    else problem.value = `You are not signed in: ${await detailOf(answer)}.`;
  } catch {
    problem.value = "You are not signed in: the server does not answer.";
  }
}

async function signOut(): Promise<void> {
  await fetch(address("v1/session"), { method: "DELETE" }).catch(() => undefined);
  location.reload();
}

/** What is behind it, once the server lets us read. */
export function Gate({ children }: { children: ComponentChildren }) {
  const by = session.value;
  if (by === "asking") return null;
  if (by !== "locked") {
    return (
      <>
        {children}
        {by.name !== null && (
          <aside class="signed-in" aria-label="Session">
            Signed in as {by.name}{by.role === "viewer" ? ", who only reads" : ""}. <button type="button" class="plain" onClick={() => void signOut()}>Sign out</button>
          </aside>
        )}
      </>
    );
  }
  return (
    <main class="sign-in">
      <h1>StreamTrace</h1>
      <form onSubmit={(event) => void signIn(event)}>
        <label>Access token <input name="token" type="password" required autocomplete="current-password" /></label>
        <button type="submit" class="primary">Sign in</button>
        <p role="alert">{problem.value}</p>
      </form>
    </main>
  );
}
