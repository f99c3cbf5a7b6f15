// The TextMate grammar colours the model policy as the language reads it, and knows every word of the language.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { before, test } = require("node:test");
const oniguruma = require("vscode-oniguruma");
const textmate = require("vscode-textmate");

const ROOT = path.join(__dirname, "..", "..", "..");
const MODEL = fs.readFileSync(path.join(ROOT, "omium", "demo", "onboarding.omp"), "utf8");
const LANGUAGE = fs.readFileSync(path.join(ROOT, "omium_policy", "omp.lark"), "utf8");
const GRAMMAR = path.join(__dirname, "..", "syntaxes", "omp.tmLanguage.json");

/** @type {textmate.IGrammar} */
let grammar;

before(async () => {
  const wasm = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new textmate.Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
      createOnigString: (text) => new oniguruma.OnigString(text),
    }),
    loadGrammar: async () => textmate.parseRawGrammar(fs.readFileSync(GRAMMAR, "utf8"), GRAMMAR),
  });
  const loaded = await registry.loadGrammar("source.omp");
  assert.ok(loaded);
  grammar = loaded;
});

/**
 * Return each piece of a text with the innermost of its scopes, and whether a block is still open at the end.
 *
 * @param {string} text
 */
function pieces(text) {
  /** @type {{ line: string, text: string, scopes: string[] }[]} */
  const found = [];
  let state = textmate.INITIAL;
  for (const line of text.split("\n")) {
    const result = grammar.tokenizeLine(line, state);
    for (const token of result.tokens) {
      found.push({ line, text: line.slice(token.startIndex, token.endIndex), scopes: token.scopes });
    }
    state = result.ruleStack;
  }
  return { found, depth: state.depth };
}

/**
 * Return the innermost scope of a piece in the first line that contains some text.
 *
 * @param {string} line
 * @param {string} piece
 */
function scope(line, piece) {
  const found = pieces(MODEL).found.find((one) => one.line.includes(line) && one.text.trim() === piece);
  assert.ok(found, `\`${piece}\` is no piece of its own in \`${line}\``);
  return found.scopes[found.scopes.length - 1];
}

const KNOWN = [
  ["# Retail loan", "# Retail loan onboarding: kyc -> credit -> offer -> email", "comment.line.number-sign.omp"],
  ["omium 1", "omium", "keyword.control.edition.omp"],
  ['use "omium.finance"', "use", "keyword.control.import.omp"],
  ["policy fintech.onboarding", "fintech.onboarding", "entity.name.namespace.omp"],
  ["data Application {", "Application", "entity.name.type.data.omp"],
  ["applicant: text max 200", "applicant", "variable.other.property.omp"],
  ["applicant: text max 200", "text", "support.type.omp"],
  ["risk: one of low", "low", "variable.other.enummember.omp"],
  ["income: money USD", "USD", "constant.other.currency.omp"],
  ["income: money USD", "$0", "constant.numeric.money.omp"],
  ["step offer takes", "offer", "entity.name.tag.step.omp"],
  ["step offer takes", "Terms", "entity.name.type.data.omp"],
  ["let loan_cap", "$50_000", "constant.numeric.money.omp"],
  ["rule apr_in_band", "rule", "storage.type.rule.omp"],
  ["rule apr_in_band", "apr_in_band", "entity.name.function.rule.omp"],
  ["rule apr_in_band", "offer", "entity.name.tag.step.omp"],
  ["require output.apr", "output", "variable.language.omp"],
  ["require output.apr", ".apr", "variable.other.property.omp"],
  ["require output.apr", "between", "keyword.operator.word.omp"],
  ["require output.apr", "2.5%", "constant.numeric.percent.omp"],
  ['message "APR {', ".apr", "variable.other.property.omp"],
  ['message "APR {', "is outside our licensed band of 2.5% to 8.5%.", "string.quoted.double.omp"],
  ["on fail recover repair_offer", "repair_offer", "entity.name.function.recovery.omp"],
  ["require fin.monthly_payment", "fin.monthly_payment", "entity.name.function.call.omp"],
  ["offer_latency after offer monitoring", "monitoring", "storage.modifier.mode.omp"],
  ["require step.elapsed", "step", "variable.language.omp"],
  ["require step.elapsed", "20s", "constant.numeric.duration.omp"],
  ["first retry 3 times", "exponential", "support.function.backoff.omp"],
  ["then rollback to credit", "credit", "entity.name.tag.step.omp"],
  ["never tool send_email", "send_email", "entity.name.function.tool.omp"],
  ["allow Mon..Thu", "09:00", "constant.numeric.time.omp"],
  ["freeze 2026", "2026-12-18", "constant.numeric.date.omp"],
  ["test apr_in_band", "apr_in_band", "entity.name.function.rule.omp"],
  ["case output.apr = 2.49%", "breaks", "constant.language.omp"],
];

for (const [line, piece, expected] of KNOWN) {
  test(`\`${piece}\` in \`${line}\` is ${expected}`, () => {
    assert.equal(scope(line, piece), expected);
  });
}

test("no block of the model policy stays open", () => {
  assert.equal(pieces(MODEL).depth, 1);
});

test("every word of the language has a colour", () => {
  const grammarText = LANGUAGE.replace(/\/\/.*$/gm, "");
  const words = new Set([...grammarText.matchAll(/"([A-Za-z]+)"/g)].map((match) => match[1]));
  assert.ok(words.size > 100);
  const plain = [...words].filter((word) =>
    pieces(`{\n  ${word} \n}`).found.some((one) => one.text.trim() === word && one.scopes.length < 2),
  );
  assert.deepEqual(plain, []);
});

test("a word that is a part of another, or of a path, is none", () => {
  const { found } = pieces("required output.require x.rule never_mind");
  assert.deepEqual(
    found.filter((one) => one.scopes.some((scope) => scope.startsWith("keyword") || scope.startsWith("storage"))),
    [],
  );
});

test("a text that is not closed ends with its line", () => {
  const { found } = pieces('title "never closed\nowner "me"');
  const owner = found.find((one) => one.text === "owner");
  assert.equal(owner?.scopes.at(-1), "keyword.other.statement.omp");
});
