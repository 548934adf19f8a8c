// Runs the Node suites that are named, or all, and prints a JSON line a cell (see frame.mjs).
//
//     run.mjs [--direct | --engine] [--upstream=NAME] [--feature=NAME] [MODULE ...]

import { ENGINES, FEATURES, UPSTREAMS, run } from "./frame.mjs";

// Some SDKs reject promises that nobody asked for; what matters is what `ask` throws.
process.on("unhandledRejection", () => {});
const MODULES = ["openai", "anthropic", "google", "vercel"];
const options = process.argv.slice(2).filter((word) => word.startsWith("--"));
const modules = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const chosen = (name) => options.filter((word) => word.startsWith(`--${name}=`)).map((word) => word.split("=")[1]);
const direct = options.includes("--direct");
const engine = options.includes("--engine");
const all = Object.keys(FEATURES).filter((name) => (name === "engine") === engine);
const features = chosen("feature").length ? chosen("feature") : all;
for (const name of modules.length ? modules : MODULES) {
  const { clients } = await import(`./${name}.mjs`);
  for (const kind of clients) {
    const upstreams = direct ? [kind.dialect] : chosen("upstream").length ? chosen("upstream") : engine ? ENGINES : UPSTREAMS;
    await run(kind, upstreams, features, direct);
  }
}
// Idle connections would keep the process alive.
process.exit(0);
