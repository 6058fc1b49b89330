// Runs a Node.js function over Lambda's Runtime API: loads the handler, then takes one event after another.
//
// Names of errors, fields and log lines are those of Lambda's own Node.js runtime.

import { existsSync, readFileSync, statSync } from "node:fs";
import { Agent, request } from "node:http";
import * as modules from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { format, types } from "node:util";

const env = process.env;
const [host, port] = env.AWS_LAMBDA_RUNTIME_API.split(":");
const root = env.LAMBDA_TASK_ROOT;
const agent = new Agent({ keepAlive: true });

// On Lambda import finds the runtime's AWS SDK as require does; NODE_PATH, by which require finds it here, is nothing to import.
const [sdk] = process.argv.splice(2);
if (sdk) {
  const home = JSON.stringify(pathToFileURL(path.join(sdk, "/")).href);
  const hook = `export async function resolve(name, context, next) {
    try {
      return await next(name, context);
    } catch (error) {
      if (!/^@(aws-sdk|smithy)\\//.test(name)) throw error;
      return next(name, { ...context, parentURL: ${home} });
    }
  }`;
  modules.register?.(`data:text/javascript,${encodeURIComponent(hook)}`);
}

/** The invocation that runs: its id, and what ends it when nothing is left to do. */
let requestId;
let whenIdle;

function call(method, operation, body = "", headers = {}) {
  return new Promise((resolve, reject) => {
    const bytes = Buffer.from(body);
    const options = { agent, host, port, method, path: `/2018-06-01/runtime/${operation}` };
    options.headers = { ...headers, "content-length": bytes.length };
    const asked = request(options, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => resolve({ headers: answer.headers, body: Buffer.concat(pieces).toString() }));
      answer.on("error", reject);
    });
    asked.on("error", reject);
    asked.end(bytes);
  });
}

// Errors

function failure(kind, message) {
  const error = new Error(message);
  error.name = kind;
  return error;
}

function described(error) {
  if (types.isNativeError(error) || (typeof error?.message === "string" && typeof error?.stack === "string")) {
    // Where this file was called from explains nothing to the function's author.
    const trace = String(error.stack).split("\n").filter((line) => !line.includes(import.meta.url));
    return { errorType: String(error.name), errorMessage: error.message, trace };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}

function tell(operation, document) {
  const kind = document.errorType.replace(/[^\x20-\x7e]/g, "?");
  return call("POST", operation, JSON.stringify(document), {
    "content-type": "application/json",
    "lambda-runtime-function-error-type": kind,
  });
}

// Log lines

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const asJson = env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const lowest = asJson ? Math.max(LEVELS.indexOf(env.AWS_LAMBDA_LOG_LEVEL), 0) : 0;

function message(values) {
  if (values.length === 1 && typeof values[0] === "object" && values[0] !== null && !types.isNativeError(values[0])) {
    try {
      JSON.stringify(values[0]);
      return values[0];
    } catch {
      // It refers to itself, or holds what JSON has no word for.
    }
  }
  return format(...values);
}

function log(level, ...values) {
  if (LEVELS.indexOf(level) < lowest) return;
  const timestamp = new Date().toISOString();
  if (!asJson) {
    // A line feed would end the log event.
    const text = format(...values).replace(/\n/g, "\r");
    process.stdout.write(`${timestamp}\t${requestId ?? "undefined"}\t${level}\t${text}\n`);
    return;
  }
  const line = { timestamp, level, requestId, message: message(values) };
  const error = values.find(types.isNativeError);
  if (error) {
    const { errorType, errorMessage, trace } = described(error);
    Object.assign(line, { errorType, errorMessage, stackTrace: trace });
  }
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function logFailure(what, document) {
  if (!asJson) return log("ERROR", `${what}\t${JSON.stringify(document)}`);
  const { errorType, errorMessage, trace } = document;
  const line = { timestamp: new Date().toISOString(), level: "ERROR", requestId, message: { errorType, errorMessage, stackTrace: trace } };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

for (const [method, level] of [
  ["trace", "TRACE"],
  ["debug", "DEBUG"],
  ["log", "INFO"],
  ["info", "INFO"],
  ["warn", "WARN"],
  ["error", "ERROR"],
]) {
  console[method] = (...values) => log(level, ...values);
}

// The handler

function isModule(file) {
  if (file.endsWith(".mjs")) return true;
  if (!file.endsWith(".js")) return false;
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const manifest = path.join(folder, "package.json");
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, "utf8")).type === "module";
    if (folder === root || folder === path.dirname(folder)) return false;
  }
}

async function load(name) {
  const base = path.basename(name);
  const dot = base.indexOf(".");
  if (name.includes("..")) {
    throw failure("Runtime.MalformedHandlerName", `'${name}' is not a valid handler name: it leads out of the package`);
  }
  if (dot < 1 || dot === base.length - 1) {
    throw failure("Runtime.MalformedHandlerName", `Bad handler: '${name}' must be FILE.FUNCTION, such as index.handler`);
  }
  const [module, names] = [base.slice(0, dot), base.slice(dot + 1)];
  const stem = path.resolve(root, path.dirname(name), module);
  const isFile = (file) => existsSync(file) && statSync(file).isFile();
  const file = ["", ".js", ".mjs", ".cjs"].map((end) => stem + end).find(isFile);
  let loaded;
  try {
    const require = modules.createRequire(path.join(root, "/"));
    const found = file ?? require.resolve(path.join(path.dirname(name), module), { paths: [root] });
    loaded = isModule(found) ? await import(pathToFileURL(found)) : require(found);
  } catch (error) {
    if (error instanceof SyntaxError) throw failure("Runtime.UserCodeSyntaxError", String(error.stack));
    if (/^(ERR_)?MODULE_NOT_FOUND$/.test(error?.code)) throw failure("Runtime.ImportModuleError", String(error));
    throw error;
  }
  const reach = (from) => names.split(".").reduce((object, key) => object?.[key], from);
  const handler = reach(loaded) ?? reach(loaded?.default);
  if (handler === undefined) throw failure("Runtime.HandlerNotFound", `${name} is undefined or not exported`);
  if (typeof handler !== "function") throw failure("Runtime.HandlerNotFound", `${name} is not a function`);
  if (handler.length > 2 && env.AWS_EXECUTION_ENV === "AWS_Lambda_nodejs24.x") {
    throw failure(
      "Runtime.CallbackHandlerDeprecated",
      `${name} takes a callback, which Lambda no longer offers from Node.js 24 on; make it an async function or choose an older runtime`,
    );
  }
  return handler;
}

function contextOf(headers) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const parsed = (text) => (text ? JSON.parse(text) : undefined);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(headers["lambda-runtime-client-context"]),
    identity: parsed(headers["lambda-runtime-cognito-identity"]),
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    awsRequestId: requestId,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

/** Resolves to `{ result }` or `{ error }`. */
function outcome(handler, event, context) {
  return new Promise((resolve) => {
    const end = (how) => {
      whenIdle = undefined;
      resolve(how);
    };
    let called = false;
    const callback = (error, result) => {
      if (called) return;
      called = true;
      const how = error === undefined || error === null ? { result } : { error };
      if (context.callbackWaitsForEmptyEventLoop) whenIdle = () => end(how);
      else end(how);
    };
    const atOnce = (error, result) => {
      context.callbackWaitsForEmptyEventLoop = false;
      callback(error, result);
    };
    context.done = atOnce;
    context.succeed = (result) => atOnce(null, result);
    context.fail = (error) => atOnce(error ?? "handled");
    // A handler that neither promises nor calls back is over when nothing is left to do.
    whenIdle = () => end({ result: null });
    try {
      const returned = handler(event, context, callback);
      if (typeof returned?.then === "function") {
        returned.then(
          (result) => end({ result }),
          (error) => end({ error }),
        );
      }
    } catch (error) {
      end({ error });
    }
  });
}

async function respond(how) {
  if (!("error" in how)) {
    try {
      const body = JSON.stringify(how.result === undefined ? null : how.result) ?? "null";
      await call("POST", `invocation/${requestId}/response`, body, { "content-type": "application/json" });
      return;
    } catch (error) {
      if (error?.code) throw error;
      how = { error: failure("Runtime.MalformedResponse", `the result cannot be written as JSON: ${error?.message}`) };
    }
  }
  const document = described(how.error);
  logFailure("Invoke Error ", document);
  await tell(`invocation/${requestId}/error`, document);
}

// What nobody caught ends the environment, as on Lambda.
let ending = false;
async function crash(what, document) {
  if (ending) return;
  ending = true;
  logFailure(what, document);
  try {
    await tell(requestId ? `invocation/${requestId}/error` : "init/error", document);
  } finally {
    process.exit(129);
  }
}

process.on("uncaughtException", (error) => crash("Uncaught Exception ", described(error)));
process.on("unhandledRejection", (reason) => {
  const errorMessage = String(reason);
  const trace = types.isNativeError(reason) ? described(reason).trace : [errorMessage];
  return crash("Unhandled Promise Rejection ", { errorType: "Runtime.UnhandledPromiseRejection", errorMessage, trace });
});
process.on("beforeExit", () => whenIdle?.());

async function main() {
  let handler;
  try {
    handler = await load(env._HANDLER);
  } catch (error) {
    return await crash("Uncaught Exception ", described(error));
  }
  for (;;) {
    const next = await call("GET", "invocation/next");
    requestId = next.headers["lambda-runtime-aws-request-id"];
    env._X_AMZN_TRACE_ID = next.headers["lambda-runtime-trace-id"] ?? "";
    let how;
    try {
      how = await outcome(handler, JSON.parse(next.body), contextOf(next.headers));
    } catch (error) {
      how = { error };
    }
    await respond(how);
  }
}

main().catch((error) => {
  process.stderr.write(`the Runtime API cannot be reached: ${error}\n`);
  process.exit(1);
});
