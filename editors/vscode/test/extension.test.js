// The client: which program it starts, for which files, and what it says when there is none. The editor is a stand-in.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const Module = require("node:module");
const os = require("node:os");
const path = require("node:path");
const { afterEach, beforeEach, test } = require("node:test");
const { serverCommand } = require("../src/command");

const CONTEXT = /** @type {any} */ ({ subscriptions: [] });

/** @type {string} */
let folder;
/** @type {any} */
let editor;
/** @type {any[]} */
let clients;
/** @type {string[]} */
let warnings;

/** @param {string} at */
function program(at) {
  const file = path.join(folder, at);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, "");
  return file;
}

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "omium-vscode-"));
  clients = [];
  warnings = [];
  const nothing = { dispose() {} };
  editor = {
    commands: { registerCommand: () => nothing },
    window: { showWarningMessage: (/** @type {string} */ text) => warnings.push(text) },
    workspace: {
      isTrusted: true,
      workspaceFolders: [{ uri: { fsPath: folder } }],
      textDocuments: [],
      getConfiguration: () => ({ get: (/** @type {string} */ _, /** @type {unknown} */ otherwise) => otherwise }),
      createFileSystemWatcher: (/** @type {string} */ pattern) => ({ pattern }),
      onDidOpenTextDocument: () => nothing,
      onDidChangeConfiguration: () => nothing,
      onDidGrantWorkspaceTrust: () => nothing,
    },
  };
});

afterEach(() => fs.rmSync(folder, { recursive: true }));

/** @param {Error} [failure] */
function extension(failure) {
  class LanguageClient {
    /** @param {unknown[]} given */
    constructor(...given) {
      this.given = given;
      this.running = false;
      clients.push(this);
    }
    async start() {
      if (failure !== undefined) {
        throw failure;
      }
      this.running = true;
    }
    async stop() {
      this.running = false;
    }
  }
  const load = /** @type {any} */ (Module);
  const original = load._load;
  load._load = (/** @type {string} */ name, /** @type {unknown[]} */ ...rest) =>
    name === "vscode" ? editor : name === "vscode-languageclient/node" ? { LanguageClient } : original(name, ...rest);
  try {
    delete require.cache[require.resolve("../src/extension")];
    return require("../src/extension");
  } finally {
    load._load = original;
  }
}

test("the settings name the server, else the workspace's environment has it, else the path", () => {
  const own = program(".venv/bin/omium");
  const other = program("elsewhere/omium");
  const onPath = { PATH: path.dirname(other) };
  assert.deepEqual(serverCommand(["uvx", "omium", "lsp"], [folder], onPath, "linux"), ["uvx", "omium", "lsp"]);
  assert.deepEqual(serverCommand([], [folder], onPath, "linux"), [own, "lsp"]);
  assert.deepEqual(serverCommand([], [], onPath, "linux"), [other, "lsp"]);
  assert.equal(serverCommand([], [folder], {}, "win32"), null);
  const windows = program("venv/Scripts/omium.exe");
  assert.deepEqual(serverCommand([], [folder], {}, "win32"), [windows, "lsp"]);
});

test("the server is started once for policies and Python files, and stopped", async () => {
  const own = program(".venv/bin/omium");
  const { activate, deactivate } = extension();
  await activate(CONTEXT);
  const [client] = clients;
  const [, , server, options] = client.given;
  assert.deepEqual([server.command, server.args], [own, ["lsp"]]);
  assert.deepEqual(
    options.documentSelector.map((/** @type {{ language: string }} */ one) => one.language),
    ["omp", "python"],
  );
  assert.deepEqual(options.initializationOptions, { warnings: true });
  assert.equal(client.running, true);
  await deactivate();
  assert.equal(client.running, false);
});

test("what is missing is said where there is a policy, and only there", async () => {
  process.env.PATH = [folder, process.env.PATH].join(path.delimiter);
  program("omium");
  const failing = () => extension(new Error("it ended"));
  await failing().activate(CONTEXT);
  assert.deepEqual(warnings, []);
  editor.workspace.textDocuments = [{ languageId: "omp" }];
  await failing().activate(CONTEXT);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /pip install 'omium\[lsp\]'/);
});

test("nothing of a workspace that is not trusted is started", async () => {
  program(".venv/bin/omium");
  editor.workspace.isTrusted = false;
  await extension().activate(CONTEXT);
  assert.deepEqual(clients, []);
});
