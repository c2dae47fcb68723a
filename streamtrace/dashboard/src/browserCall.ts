// A call from this browser's microphone, placed by WHIP (RFC 9725): a live trial in ten seconds.

import { signal } from "@preact/signals";
import { address, detailOf } from "./api";
import { go } from "./route";

const LINE = "browser";

export type Placing = { is: "idle" } | { is: "placing" } | { is: "live"; callId: string } | { is: "failed"; why: string };
export const placing = signal<Placing>({ is: "idle" });

let peer: RTCPeerConnection | null = null;
let microphone: MediaStream | null = null;
let session: URL | null = null;

/** Ask for the microphone and call; what goes wrong is said in `placing`. */
export async function placeBrowserCall(): Promise<void> {
  placing.value = { is: "placing" };
  try {
    if (!navigator.mediaDevices) throw new Error("a microphone needs https, or this page on localhost");
    // The engine reads what a line leaves in a voice: the browser is not to clean it first.
    microphone = await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
    peer = new RTCPeerConnection();
    for (const track of microphone.getAudioTracks()) peer.addTransceiver(track, { direction: "sendonly", streams: [microphone] });
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const answer = await fetch(address(`whip/${LINE}`), {
      method: "POST",
      headers: { "content-type": "application/sdp" },
      body: peer.localDescription?.sdp ?? "",
    });
    if (answer.status !== 201) throw new Error(await detailOf(answer));
    session = new URL(answer.headers.get("location") ?? "", answer.url);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    const callId = answer.headers.get("streamtrace-call-id") ?? "";
    placing.value = { is: "live", callId };
    peer.onconnectionstatechange = () => {
      if (peer?.connectionState === "failed" || peer?.connectionState === "closed") void hangUp();
    };
    go({ view: "", call: callId });
  } catch (cause) {
    await hangUp();
    const why = cause instanceof DOMException && cause.name === "NotAllowedError" ? "the microphone was not allowed" : (cause as Error).message;
    placing.value = { is: "failed", why };
  }
}

/** End it; the call's last decision stays on its page. */
export async function hangUp(): Promise<void> {
  const url = session;
  session = null;
  for (const track of microphone?.getTracks() ?? []) track.stop();
  peer?.close();
  microphone = peer = null;
  placing.value = { is: "idle" };
  if (url) await fetch(url, { method: "DELETE", keepalive: true }).catch(() => undefined);
}
addEventListener("pagehide", () => void hangUp());

/** The server takes no candidates from an answer, so the offer brings all it has, soon. */
function gathered(connection: RTCPeerConnection): Promise<void> {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
    connection.addEventListener("icegatheringstatechange", done);
    setTimeout(resolve, 1_500);
  });
}
