// Runs the Node SDK cases against the server that the environment names (see suite.mjs).
//
//     run.mjs [MODULE ...]      all modules, or only these

import { runModule } from "./suite.mjs";

const MODULES = ["chat", "streaming", "tools", "structured", "embeddings", "models", "errors", "headers", "media", "files", "other"];

const wanted = process.argv.slice(2);
let held = true;
for (const name of wanted.length ? wanted : MODULES) {
  // A module's cases are its exported functions, in the order of their names.
  held = (await runModule(name, await import(`./${name}.mjs`))) && held;
}
process.exit(held ? 0 : 1);
