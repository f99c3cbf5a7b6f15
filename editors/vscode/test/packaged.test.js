// The packaged extension has everything that it needs: `nox -s vsix` unpacks what it packed and names the folder.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const Module = require("node:module");
const path = require("node:path");
const { test } = require("node:test");

const folder = process.env.OMIUM_VSIX ?? "";
const missing = folder === "" ? "nothing is packaged yet; `nox -s vsix` does it" : false;

test("the manifest names only files that are there", { skip: missing }, () => {
  const { main, contributes } = JSON.parse(fs.readFileSync(path.join(folder, "extension", "package.json"), "utf8"));
  const named = [
    main,
    ...contributes.grammars.map((/** @type {{ path: string }} */ one) => one.path),
    ...contributes.snippets.map((/** @type {{ path: string }} */ one) => one.path),
    ...contributes.languages.map((/** @type {{ configuration: string }} */ one) => one.configuration),
    "LICENSE.txt",
  ];
  const absent = named.filter((file) => !fs.existsSync(path.join(folder, "extension", file)));
  assert.deepEqual(absent, []);
});

test("the client loads from what is packaged alone", { skip: missing }, () => {
  // The protocol's client inherits from the editor's classes while it is loaded.
  const editor = new Proxy({}, { get: (_, name) => (name === "version" ? "1.82.0" : class {}) });
  const load = /** @type {any} */ (Module);
  const original = load._load;
  load._load = (/** @type {string} */ name, /** @type {unknown[]} */ ...rest) =>
    name === "vscode" ? editor : original(name, ...rest);
  try {
    const extension = require(path.join(path.resolve(folder), "extension", "src", "extension.js"));
    assert.deepEqual(Object.keys(extension), ["activate", "deactivate"]);
  } finally {
    load._load = original;
  }
});
