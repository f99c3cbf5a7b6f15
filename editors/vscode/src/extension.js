// Starts `omium lsp` when a policy or a Python file is opened, and stops it again. All that is known is known there.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");
const { serverCommand } = require("./command");

const INSTALL = "pip install 'omium[lsp]'";

/** @type {LanguageClient | undefined} */
let client;
let toldWhatIsMissing = false;

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("omium.restart", restart),
    vscode.workspace.onDidOpenTextDocument((document) => {
      if (document.languageId === "omp") {
        void start();
      }
    }),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("omium")) {
        void restart();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(() => void start()),
  );
  await start();
}

async function deactivate() {
  const stopping = client;
  client = undefined;
  await stopping?.stop();
}

async function restart() {
  toldWhatIsMissing = false;
  await deactivate();
  await start();
}

async function start() {
  // The server is a program that the workspace may bring with it.
  if (client !== undefined || !vscode.workspace.isTrusted) {
    return;
  }
  const settings = vscode.workspace.getConfiguration("omium");
  const folders = (vscode.workspace.workspaceFolders ?? []).map((folder) => folder.uri.fsPath);
  const found = serverCommand(settings.get("server.command", []), folders, process.env, process.platform);
  if (found === null) {
    tellWhatIsMissing(`There is no program \`omium\`; run: ${INSTALL}`);
    return;
  }
  const [command, ...args] = found;
  const starting = new LanguageClient(
    "omium",
    "Omium",
    { command, args, options: { cwd: folders[0] } },
    {
      documentSelector: [
        { language: "omp" },
        { language: "python", scheme: "file" },
      ],
      synchronize: { fileEvents: vscode.workspace.createFileSystemWatcher("**/{*.omp,omium.toml,pyproject.toml}") },
      initializationOptions: { warnings: settings.get("warnings", true) },
    },
  );
  client = starting;
  try {
    await starting.start();
  } catch (error) {
    client = undefined;
    tellWhatIsMissing(`\`${found.join(" ")}\` does not serve; run: ${INSTALL} (${String(error)})`);
  }
}

/**
 * Whoever only opens Python files need not have Omium, so nothing is said before there is a policy.
 *
 * @param {string} message
 */
function tellWhatIsMissing(message) {
  if (!toldWhatIsMissing && vscode.workspace.textDocuments.some((document) => document.languageId === "omp")) {
    toldWhatIsMissing = true;
    void vscode.window.showWarningMessage(message);
  }
}

module.exports = { activate, deactivate };
