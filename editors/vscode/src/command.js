// Which program serves: the one that the settings name, that of the workspace's environment, or the one on the path.
"use strict";

const fs = require("node:fs");
const path = require("node:path");

const ENVIRONMENTS = [".venv", "venv"];

/**
 * Return the command and its arguments; null when there is none.
 *
 * @param {readonly string[]} configured what the settings say; empty where they say nothing
 * @param {readonly string[]} folders the workspace's folders
 * @param {NodeJS.ProcessEnv} environment
 * @param {NodeJS.Platform} platform
 * @returns {string[] | null}
 */
function serverCommand(configured, folders, environment, platform) {
  if (configured.length > 0) {
    return [...configured];
  }
  const windows = platform === "win32";
  const program = windows ? "omium.exe" : "omium";
  const bin = windows ? "Scripts" : "bin";
  const own = folders.flatMap((folder) => ENVIRONMENTS.map((name) => path.join(folder, name, bin)));
  const onPath = (environment.PATH ?? environment.Path ?? "").split(path.delimiter).filter(Boolean);
  const found = [...own, ...onPath].map((folder) => path.join(folder, program)).find(isFile);
  return found === undefined ? null : [found, "lsp"];
}

/** @param {string} file */
function isFile(file) {
  try {
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

module.exports = { serverCommand };
