// The protocol's own library, which the extension speaks with, understands the server. `nox -s vsix` has it on the path.
"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { pathToFileURL } = require("node:url");
const protocol = require("vscode-languageserver-protocol/node");
const { serverCommand } = require("../src/command");

const command = serverCommand([], [], process.env, process.platform);
const missing = command === null ? "there is no `omium` on the path" : false;

test("a policy that is opened is judged, and the server ends well", { skip: missing, timeout: 120_000 }, async () => {
  const [program, ...args] = /** @type {string[]} */ (command);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "omium-vscode-"));
  const server = spawn(program, args, { cwd: folder, stdio: ["pipe", "pipe", "inherit"] });
  const ended = new Promise((resolve) => server.on("exit", resolve));
  const connection = protocol.createProtocolConnection(
    new protocol.StreamMessageReader(server.stdout),
    new protocol.StreamMessageWriter(server.stdin),
  );
  connection.listen();
  const published = new Promise((resolve) =>
    connection.onNotification(protocol.PublishDiagnosticsNotification.type, resolve),
  );
  const { capabilities } = await connection.sendRequest(protocol.InitializeRequest.type, {
    processId: process.pid,
    rootUri: pathToFileURL(folder).href,
    capabilities: {},
  });
  assert.ok(capabilities.completionProvider && capabilities.inlayHintProvider);
  await connection.sendNotification(protocol.InitializedNotification.type, {});
  const uri = pathToFileURL(path.join(folder, "p.omp")).href;
  await connection.sendNotification(protocol.DidOpenTextDocumentNotification.type, {
    textDocument: { uri, languageId: "omp", version: 1, text: "omium 1\npolicy p { rule r after }\n" },
  });
  const { diagnostics } = /** @type {protocol.PublishDiagnosticsParams} */ (await published);
  assert.deepEqual(
    diagnostics.map((one) => one.code),
    ["syntax"],
  );
  await connection.sendRequest(protocol.ShutdownRequest.type);
  await connection.sendNotification(protocol.ExitNotification.type);
  assert.equal(await ended, 0);
  connection.dispose();
  fs.rmSync(folder, { recursive: true });
});
