// The small pictures that list and detail share: verdict badge, probability meter, share bars.

import { h, icon, setAttribute, setText } from "./dom.js";
import { VERDICTS, percent, plain } from "./format.js";

/** A badge that tells a verdict by words, icon and colour. */
export function verdictBadge() {
  const element = h("span", { className: "badge" });
  let shown;
  return {
    element,
    show(verdict) {
      if (verdict === shown) return;
      shown = verdict;
      element.dataset.verdict = verdict ?? "none";
      const look = VERDICTS[verdict];
      element.replaceChildren(...(look ? [icon(look.icon), look.words] : ["listening…"]));
    },
  };
}

/** A bar for a spoof probability, with a mark where the synthetic verdict begins. */
export function probabilityMeter() {
  const fill = h("span", { className: "fill" });
  const mark = h("span", { className: "mark" });
  const bar = h(
    "span",
    { className: "bar", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": "spoof probability" },
    fill,
    mark,
  );
  const figure = h("span", { className: "figure" });
  return {
    element: h("span", { className: "meter" }, bar, figure),
    show(decision) {
      const share = decision?.spoof_probability ?? 0;
      bar.hidden = !decision;
      bar.dataset.verdict = decision?.verdict ?? "none";
      setAttribute(bar, "aria-valuenow", Math.round(share * 100));
      fill.style.setProperty("inline-size", `${share * 100}%`);
      const threshold = decision?.threshold?.value;
      mark.hidden = threshold === undefined;
      if (threshold !== undefined) {
        mark.style.setProperty("inset-inline-start", `${threshold * 100}%`);
        mark.title = `synthetic from ${percent(threshold)}`;
      }
      setText(figure, decision ? percent(share) : "–");
    },
  };
}

/** A list of named shares as bars, likeliest first; `unknown` is hatched. */
export function shareBars(name) {
  const list = h("ul", { className: "shares", "aria-label": name });
  return {
    element: list,
    show(shares) {
      list.replaceChildren(
        ...shares.map(({ label, note, probability }) => {
          const fill = h("span", { className: "fill" });
          fill.style.setProperty("inline-size", `${probability * 100}%`);
          return h(
            "li",
            { "data-unknown": label === "unknown" },
            h("span", { className: "name" }, plain(label), note ? h("small", {}, note) : null),
            h("span", { className: "bar", "aria-hidden": "true" }, fill),
            h("span", { className: "figure" }, percent(probability)),
          );
        }),
      );
    },
  };
}
