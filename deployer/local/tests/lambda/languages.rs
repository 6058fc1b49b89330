//! Functions in Python and Node.js, with the interpreters of this machine. Python's runtime client comes from PyPI.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Local, Run, package_of, variables};

/// Packages that were installed once for all tests, in a folder that outlives them.
fn installed() -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("runtimes")).clone()
}

/// An endpoint that finds the runtime client where an earlier test has installed it.
async fn local() -> Local {
    let local = Local::new().await;
    let lambda = local.path().join("lambda");
    std::fs::create_dir_all(&lambda).unwrap();
    std::fs::create_dir_all(installed()).unwrap();
    std::os::unix::fs::symlink(installed(), lambda.join("runtimes")).unwrap();
    local
}

impl Local {
    async fn written(&self, name: &str, runtime: &str, files: &[(&str, &str)], settings: Value) {
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_bytes(), 0o644)).collect();
        let mut all =
            json!({"Runtime": runtime, "Handler": "app.handler", "Code": {"ZipFile": package_of(&files)}});
        if let (Value::Object(all), Value::Object(settings)) = (&mut all, settings) {
            all.extend(settings);
        }
        self.function(name, all).await;
    }
}

/// The type, the message and whether there are lines of a trace that name the file.
fn error(run: &Run, trace: &str, file: &str) -> (String, String, bool) {
    assert_eq!(run.function_error.as_deref(), Some("Unhandled"), "{}", run.log);
    let text = |name: &str| run.result[name].as_str().unwrap_or_default().to_owned();
    (text("errorType"), text("errorMessage"), run.result[trace].to_string().contains(file))
}

const PYTHON: &str = r#"
import json, os, sys, time
print("loading")
def handler(event, context):
    mode = event.get("mode")
    if mode == "raise":
        raise ValueError("no " + event["what"])
    if mode == "exit":
        os._exit(5)
    if mode == "leave":
        sys.exit(4)
    if mode == "big":
        return "x" * event["bytes"]
    if mode == "unwritable":
        return {1, 2}
    if mode == "print":
        print("one\ntwo"); sys.stderr.write("three\n")
    if mode == "env":
        return dict(os.environ)
    if mode == "path":
        return sys.path
    if mode == "tmp":
        import tempfile
        return tempfile.gettempdir()
    if mode == "import":
        __import__(event["what"])
    return {"name": context.function_name, "memory": context.memory_limit_in_mb, "id": context.aws_request_id,
            "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis(),
            "group": context.log_group_name, "event": event}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_python_function_runs_as_on_lambda() {
    let local = local().await;
    local.written("f", "python3.13", &[("app.py", PYTHON)], json!({"MemorySize": 512})).await;
    let first = local.invoke("f", json!({"é": [1.5, null]})).await;
    assert_eq!(first.function_error, None, "{} {}", first.result, first.log);
    assert!(first.cold());
    assert!(first.log.starts_with("loading\nSTART "), "{}", first.log);
    let result = &first.result;
    assert_eq!(result["event"], json!({"é": [1.5, null]}));
    assert_eq!((&result["name"], &result["memory"]), (&json!("f"), &json!("512")));
    assert_eq!(result["group"], "/aws/lambda/f");
    assert!(result["arn"].as_str().unwrap().ends_with(":function:f"));
    assert!((1..=10_000).contains(&result["left"].as_i64().unwrap()));
    assert!(first.log.contains(result["id"].as_str().unwrap()));
    let second = local.invoke("f", json!({"mode": "print"})).await;
    assert!(!second.cold());
    assert!(second.log.contains("one\ntwo\nthree\n"), "{}", second.log);
    let env = local.invoke("f", json!({"mode": "env"})).await.result;
    assert_eq!(env["AWS_EXECUTION_ENV"], "AWS_Lambda_python3.13");
    assert_eq!(env["_HANDLER"], "app.handler");
    let root = env["LAMBDA_TASK_ROOT"].as_str().unwrap();
    assert!(!std::path::Path::new(root).join("__pycache__").exists(), "the package is left as it is");
    let path = local.invoke("f", json!({"mode": "path"})).await.result;
    assert_eq!(path[0], root);
    assert!(
        !path.to_string().contains("site-packages"),
        "what this machine has installed is not there: {path}"
    );
    let tmp = local.invoke("f", json!({"mode": "tmp"})).await.result;
    assert_eq!(tmp, env["TMPDIR"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_python_reads_as_on_lambda() {
    let local = local().await;
    local.written("f", "python3.12", &[("app.py", PYTHON)], json!({})).await;
    let raised = local.invoke("f", json!({"mode": "raise", "what": "luck"})).await;
    assert_eq!(error(&raised, "stackTrace", "app.py"), ("ValueError".into(), "no luck".into(), true));
    assert!(raised.log.contains("[ERROR] ValueError: no luck"), "{}", raised.log);
    let missing = local.invoke("f", json!({"mode": "import", "what": "pip"})).await;
    assert_eq!(error(&missing, "stackTrace", "app.py").0, "ModuleNotFoundError", "nothing of this machine's");
    let unwritable = local.invoke("f", json!({"mode": "unwritable"})).await;
    assert_eq!(error(&unwritable, "stackTrace", "").0, "Runtime.MarshalError");
    let big = local.invoke("f", json!({"mode": "big", "bytes": 6_291_556})).await;
    assert_eq!(error(&big, "stackTrace", "").0, "Function.ResponseSizeTooLarge");
    for (mode, status) in [("exit", 5), ("leave", 4)] {
        let left = local.invoke("f", json!({ "mode": mode })).await;
        let (kind, message, _) = error(&left, "stackTrace", "");
        assert_eq!(kind, "Runtime.ExitError");
        assert!(message.ends_with(&format!("exit status {status}")), "{message}");
    }
    for (name, file, text, handler, kind) in [
        ("a", "app.py", "import nothing_like_it", "app.handler", "Runtime.ImportModuleError"),
        ("b", "app.py", "def handler(:", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("c", "app.py", "x = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("d", "app.py", "x = 1", "handler", "Runtime.MalformedHandlerName"),
        ("e", "app.py", "raise KeyError('early')", "app.handler", "KeyError"),
        ("g", "other.py", "x = 1", "app.handler", "Runtime.ImportModuleError"),
    ] {
        local.written(name, "python3.12", &[(file, text)], json!({ "Handler": handler })).await;
        let failed = local.invoke(name, json!({})).await;
        assert_eq!(error(&failed, "stackTrace", "").0, kind, "{} {}", failed.result, failed.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn python_handlers_lie_in_folders_and_log_json_when_asked() {
    let local = local().await;
    let source = "import logging\nlogger = logging.getLogger()\nclass Deep:\n    pass\ndef handler(e, c):\n    \
                  logger.warning('look', extra={'n': 1})\n    logger.debug('unseen')\n    return 'in'\n";
    let logging = json!({"LogFormat": "JSON", "ApplicationLogLevel": "INFO"});
    let settings = json!({"Handler": "src/deep/app.handler", "LoggingConfig": logging});
    local.written("f", "python3.11", &[("src/deep/app.py", source)], settings).await;
    let run = local.invoke("f", json!({})).await;
    assert_eq!(run.result, "in", "{}", run.log);
    let lines: Vec<Value> = run.log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["type"], "platform.start");
    let look = lines.iter().find(|l| l["message"] == "look").unwrap();
    assert_eq!((&look["level"], &look["n"]), (&json!("WARNING"), &json!(1)));
    assert!(look["requestId"].is_string());
    assert!(!run.log.contains("unseen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn python_imports_from_its_layers_after_the_package() {
    let local = local().await;
    let below = [
        ("python/lib/python3.13/site-packages/deep.py", "WORD = 'deep'"),
        ("python/shared.py", "WORD = 'below'"),
        ("python/own.py", "WORD = 'layer'"),
    ];
    let layers = json!([
        local.layer("below", &below).await,
        local.layer("above", &[("python/shared.py", "WORD = 'above'")]).await
    ]);
    let app = "import sys, deep, own, shared\n\
               def handler(e, c):\n    return [deep.WORD, own.WORD, shared.WORD, sys.path[:3]]\n";
    let files = [("app.py", app), ("own.py", "WORD = 'package'")];
    local.written("f", "python3.13", &files, json!({"Layers": layers})).await;
    let run = local.invoke("f", json!({})).await;
    assert_eq!(run.function_error, None, "{}", run.log);
    assert_eq!(run.result.as_array().unwrap()[..3], ["deep", "package", "above"]);
    let path = &run.result[3];
    let opt = path[2].as_str().unwrap();
    assert_eq!(path[1], format!("{opt}/lib/python3.13/site-packages"));
}

#[tokio::test(flavor = "multi_thread")]
async fn node_requires_from_its_layers() {
    let local = local().await;
    let files = [
        ("nodejs/node_modules/shared/index.js", "exports.word = 'any version';"),
        ("nodejs/node22/node_modules/special/index.js", "exports.word = 'version 22';"),
        ("nodejs/node20/node_modules/special/index.js", "exports.word = 'version 20';"),
    ];
    let layers = json!([local.layer("libs", &files).await]);
    let app = "exports.handler = async () => [require('shared').word, require('special').word];";
    for (name, runtime, version) in [("f", "nodejs22.x", "version 22"), ("g", "nodejs20.x", "version 20")] {
        local.written(name, runtime, &[("app.js", app)], json!({"Layers": layers})).await;
        let run = local.invoke(name, json!({})).await;
        assert_eq!(run.result, json!(["any version", version]), "{}", run.log);
    }
}

const NODE: &str = r#"
const fs = require("node:fs");
exports.count = 0;
exports.handler = async (event, context) => {
  switch (event.mode) {
    case "throw": throw new RangeError("out of " + event.what);
    case "string": throw "just text";
    case "exit": process.exit(6);
    case "late": setTimeout(() => { throw new TypeError("later"); }, 5); return new Promise(() => setTimeout(() => {}, 2000));
    case "reject": Promise.reject(new Error("nobody listens")); return new Promise((done) => setTimeout(done, 2000));
    case "never": return new Promise(() => {});
    case "big": return "x".repeat(event.bytes);
    case "circular": { const a = {}; a.a = a; return a; }
    case "bigint": return 1n;
    case "nothing": return undefined;
    case "print": console.log("one\ntwo", { n: 1 }); console.error(new Error("seen")); process.stdout.write("raw\n"); return 1;
    case "env": return { ...process.env };
    case "tmp": { const file = require("node:os").tmpdir() + "/f"; fs.writeFileSync(file, "1"); return file; }
  }
  exports.count++;
  const { callbackWaitsForEmptyEventLoop, functionName, memoryLimitInMB, logGroupName, invokedFunctionArn, awsRequestId } = context;
  return { callbackWaitsForEmptyEventLoop, functionName, memoryLimitInMB, logGroupName, invokedFunctionArn, awsRequestId,
           left: context.getRemainingTimeInMillis(), event, count: exports.count };
};
exports.sync = (event, context, callback) => {
  context.callbackWaitsForEmptyEventLoop = event.wait !== false;
  const began = Date.now();
  setTimeout(() => console.log("the last thing"), 60);
  if (event.fail) callback(new SyntaxError("called back"));
  else if (!event.silent) callback(null, { began });
};
exports.nested = { deep: { handler: async () => "deep" } };
exports.notAFunction = 1;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_node_function_runs_as_on_lambda() {
    let local = local().await;
    local.written("f", "nodejs22.x", &[("app.js", NODE)], json!({"MemorySize": 512})).await;
    let first = local.invoke("f", json!({"é": [1.5, null]})).await;
    assert_eq!(first.function_error, None, "{} {}", first.result, first.log);
    assert!(first.cold());
    let result = &first.result;
    assert_eq!(result["event"], json!({"é": [1.5, null]}));
    assert_eq!((&result["functionName"], &result["memoryLimitInMB"]), (&json!("f"), &json!("512")));
    assert_eq!(result["logGroupName"], "/aws/lambda/f");
    assert_eq!(result["callbackWaitsForEmptyEventLoop"], true);
    assert!(result["invokedFunctionArn"].as_str().unwrap().ends_with(":function:f"));
    assert!((1..=10_000).contains(&result["left"].as_i64().unwrap()));
    assert!(first.log.contains(result["awsRequestId"].as_str().unwrap()));
    let second = local.invoke("f", json!({})).await;
    assert!(!second.cold());
    assert_eq!(second.result["count"], 2);
    let printed = local.invoke("f", json!({"mode": "print"})).await.log;
    assert!(
        printed.contains("\tINFO\tone\rtwo { n: 1 }\n") && printed.contains("\tERROR\tError: seen\r"),
        "{printed}"
    );
    assert!(printed.contains("\nraw\n"), "{printed}");
    assert_eq!(local.invoke("f", json!({"mode": "nothing"})).await.result, Value::Null);
    assert_eq!(local.invoke("f", json!({"mode": "never"})).await.result, Value::Null);
    let env = local.invoke("f", json!({"mode": "env"})).await.result;
    assert_eq!(env["AWS_EXECUTION_ENV"], "AWS_Lambda_nodejs22.x");
    assert!(env["_X_AMZN_TRACE_ID"].as_str().unwrap().starts_with("Root=1-"));
    let tmp = local.invoke("f", json!({"mode": "tmp"})).await.result;
    assert!(tmp.as_str().unwrap().starts_with(env["TMPDIR"].as_str().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_node_reads_as_on_lambda() {
    let local = local().await;
    local.written("f", "nodejs20.x", &[("app.js", NODE)], json!({})).await;
    let thrown = local.invoke("f", json!({"mode": "throw", "what": "luck"})).await;
    assert_eq!(error(&thrown, "trace", "app.js"), ("RangeError".into(), "out of luck".into(), true));
    assert!(thrown.log.contains("\tERROR\tInvoke Error"), "{}", thrown.log);
    let text = local.invoke("f", json!({"mode": "string"})).await;
    assert!(!text.cold(), "an error ends no environment");
    assert_eq!(error(&text, "trace", "app.js"), ("string".into(), "just text".into(), false));
    for mode in ["circular", "bigint"] {
        let unwritable = local.invoke("f", json!({ "mode": mode })).await;
        assert_eq!(error(&unwritable, "trace", "").0, "Runtime.MalformedResponse");
    }
    let big = local.invoke("f", json!({"mode": "big", "bytes": 6_291_556})).await;
    assert_eq!(error(&big, "trace", "").0, "Function.ResponseSizeTooLarge");
    assert!(!local.invoke("f", json!({})).await.cold(), "an answer too large ends no environment");
    let exit = local.invoke("f", json!({"mode": "exit"})).await;
    let (kind, message, _) = error(&exit, "trace", "");
    assert_eq!(kind, "Runtime.ExitError");
    assert!(message.ends_with("Error: Runtime exited with error: exit status 6"), "{message}");
    let rejected = local.invoke("f", json!({"mode": "reject"})).await;
    let expected = ("Runtime.UnhandledPromiseRejection".into(), "Error: nobody listens".into(), true);
    assert_eq!(error(&rejected, "trace", "app.js"), expected);
    let late = local.invoke("f", json!({"mode": "late"})).await;
    assert!(late.cold(), "an unhandled rejection ends the environment");
    assert_eq!(error(&late, "trace", "app.js"), ("TypeError".into(), "later".into(), true));
    for (name, file, text, handler, kind) in [
        ("a", "app.js", "require('nothing-like-it')", "app.handler", "Runtime.ImportModuleError"),
        ("b", "app.js", "exports.handler = (", "app.handler", "Runtime.UserCodeSyntaxError"),
        ("c", "app.js", "exports.other = 1", "app.handler", "Runtime.HandlerNotFound"),
        ("d", "app.js", NODE, "app.notAFunction", "Runtime.HandlerNotFound"),
        ("e", "app.js", NODE, "handler", "Runtime.MalformedHandlerName"),
        ("g", "app.mjs", "import 'nothing-like-it'", "app.handler", "Runtime.ImportModuleError"),
        ("h", "app.mjs", "throw new EvalError('early')", "app.handler", "EvalError"),
        ("i", "other.js", NODE, "app.handler", "Runtime.ImportModuleError"),
        ("j", "app.js", NODE, "../app.handler", "Runtime.MalformedHandlerName"),
    ] {
        local.written(name, "nodejs20.x", &[(file, text)], json!({ "Handler": handler })).await;
        let failed = local.invoke(name, json!({})).await;
        assert_eq!(error(&failed, "trace", "").0, kind, "{name}: {} {}", failed.result, failed.log);
    }
    let settings = json!({"Handler": "app.sync"});
    local.written("k", "nodejs24.x", &[("app.js", NODE)], settings).await;
    let callback = local.invoke("k", json!({})).await;
    assert_eq!(error(&callback, "trace", "").0, "Runtime.CallbackHandlerDeprecated");
}

#[tokio::test(flavor = "multi_thread")]
async fn callbacks_wait_for_what_is_left_to_do_unless_told_not_to() {
    let local = local().await;
    local.written("f", "nodejs22.x", &[("app.cjs", NODE)], json!({"Handler": "app.sync"})).await;
    let waited = local.invoke("f", json!({})).await;
    assert!(waited.result["began"].is_number(), "{} {}", waited.result, waited.log);
    assert!(waited.log.contains("the last thing"), "{}", waited.log);
    let silent = local.invoke("f", json!({"silent": true})).await;
    assert_eq!((silent.result, silent.function_error), (Value::Null, None));
    assert!(silent.log.contains("the last thing"), "{}", silent.log);
    let failed = local.invoke("f", json!({"fail": true})).await;
    assert_eq!(error(&failed, "trace", "app.cjs"), ("SyntaxError".into(), "called back".into(), true));
    assert!(failed.log.contains("the last thing"), "{}", failed.log);
    let hasty = local.invoke("f", json!({"wait": false})).await;
    assert!(hasty.result["began"].is_number());
    assert!(!hasty.log.contains("the last thing"), "{}", hasty.log);
}

#[tokio::test(flavor = "multi_thread")]
async fn node_handlers_are_commonjs_or_modules_and_lie_in_folders() {
    let local = local().await;
    let module = "import { word } from './word.mjs';\nexport const handler = async () => word;\n";
    let word = "export const word = await Promise.resolve('module');\n";
    let manifest = r#"{"type":"module"}"#;
    let dependency = "exports.word = 'dependency';";
    let requiring = "exports.handler = async () => require('dep').word;";
    let default = "export default { handler: async () => 'default' };";
    for (name, files, handler, expected) in [
        ("a", vec![("src/app.mjs", module), ("src/word.mjs", word)], "src/app.handler", "module"),
        (
            "b",
            vec![("app.js", module), ("word.mjs", word), ("package.json", manifest)],
            "app.handler",
            "module",
        ),
        ("c", vec![("app.js", NODE)], "app.nested.deep.handler", "deep"),
        (
            "d",
            vec![("app.js", requiring), ("node_modules/dep/index.js", dependency)],
            "app.handler",
            "dependency",
        ),
        ("e", vec![("app.mjs", default)], "app.handler", "default"),
    ] {
        local.written(name, "nodejs22.x", &files, json!({ "Handler": handler })).await;
        let run = local.invoke(name, json!({})).await;
        assert_eq!(run.result, expected, "{name}: {}", run.log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_logs_json_when_asked() {
    let local = local().await;
    let source = "exports.handler = async () => { console.debug('unseen'); console.warn('look', 1); console.info({ n: 1 }); \
                  console.error('oh', new Error('seen')); throw new Error('thrown'); };";
    let logging = json!({"LogFormat": "JSON", "ApplicationLogLevel": "INFO"});
    local.written("f", "nodejs22.x", &[("app.js", source)], json!({ "LoggingConfig": logging })).await;
    let run = local.invoke("f", json!({})).await;
    let lines: Vec<Value> = run.log.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let find = |level: &str, message: Value| {
        lines
            .iter()
            .find(|l| l["level"] == level && l["message"] == message)
            .unwrap_or_else(|| panic!("{message}"))
    };
    assert!(find("WARN", json!("look 1"))["requestId"].is_string());
    find("INFO", json!({"n": 1}));
    let seen = lines.iter().find(|l| l["errorMessage"] == "seen").unwrap();
    assert!(seen["stackTrace"][0].as_str().unwrap().contains("Error: seen"));
    assert!(lines.iter().any(|l| l["message"]["errorMessage"] == "thrown"));
    assert_eq!(lines.last().unwrap()["record"]["errorType"], "Error");
    assert!(!run.log.contains("unseen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_s_own_variables_win_over_the_runtime_s() {
    let local = local().await;
    let environment = variables(&[("NODE_PATH", "/mine"), ("COLOUR", "red")]);
    local.written("f", "nodejs22.x", &[("app.js", NODE)], json!({ "Environment": environment })).await;
    let env = local.invoke("f", json!({"mode": "env"})).await.result;
    assert_eq!((&env["NODE_PATH"], &env["COLOUR"]), (&json!("/mine"), &json!("red")));
    assert!(env.get("CARGO_MANIFEST_DIR").is_none(), "the endpoint's own environment leaks");
}

#[tokio::test(flavor = "multi_thread")]
async fn node_requires_and_imports_the_sdk_of_lambda_s_runtimes() {
    let local = Local::new().await;
    // As npm would have put it there when a function needed it first.
    let name = &hex::encode(Sha256::digest("@aws-sdk/client-s3 @smithy/types"))[..16];
    let home = local.path().join(format!("lambda/runtimes/nodejs-sdk-{name}/node_modules"));
    for (package, word) in [("@aws-sdk/client-s3", "client"), ("@smithy/types", "types")] {
        let folder = home.join(package);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("index.js"), format!("exports.word = '{word}';")).unwrap();
    }
    let requiring = "const { word } = require('@aws-sdk/client-s3');\n\
                     exports.handler = async () => [word, require(\"@smithy/types\").word];";
    let importing = "import { word } from '@aws-sdk/client-s3';\n\
                     export const handler = async () => [word, (await import('@smithy/types')).default.word];";
    for (name, file, source) in [("cjs", "app.js", requiring), ("esm", "app.mjs", importing)] {
        local.written(name, "nodejs22.x", &[(file, source)], json!({})).await;
        let run = local.invoke(name, json!({})).await;
        assert_eq!(run.result, json!(["client", "types"]), "{name}: {}", run.log);
    }
    // Another package is not found in the SDK's folder, and one that the function brings is its own.
    let own = "exports.word = 'own';";
    let mixed = "import { word } from '@aws-sdk/client-s3';\nexport const handler = async () => word;";
    let files = [("app.mjs", mixed), ("node_modules/@aws-sdk/client-s3/index.js", own)];
    local.written("own", "nodejs22.x", &files, json!({})).await;
    assert_eq!(local.invoke("own", json!({})).await.result, "own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_starts_the_runtime() {
    let local = local().await;
    let wrapper = b"#!/bin/sh\nexport WRAPPED=\"$(basename \"$1\")\"\nexec \"$@\"\n";
    let python = b"import os\ndef handler(event, context):\n    return os.environ['WRAPPED']\n";
    let node = b"exports.handler = async () => process.env.WRAPPED;";
    for (name, runtime, file, source) in
        [("py", "python3.13", "app.py", &python[..]), ("js", "nodejs22.x", "app.js", &node[..])]
    {
        let zip = package_of(&[(file, source, 0o644), ("bin/wrapper", wrapper, 0o755)]);
        let settings = |wrapper: &str| {
            json!({"Runtime": runtime, "Handler": "app.handler", "Code": {"ZipFile": zip},
                   "Environment": variables(&[("AWS_LAMBDA_EXEC_WRAPPER", wrapper)])})
        };
        local.function(name, settings("/var/task/bin/wrapper")).await;
        let run = local.invoke(name, json!({})).await;
        let said = run.result.as_str().unwrap_or_default();
        assert!(said.starts_with("python") || said.starts_with("node"), "{}: {}", run.result, run.log);
        let absent = format!("{name}-absent");
        local.function(&absent, settings("/var/task/bin/none")).await;
        let run = local.invoke(&absent, json!({})).await;
        assert_eq!(run.result["errorType"], "Runtime.ExitError", "{}", run.log);
        let message = run.result["errorMessage"].as_str().unwrap();
        assert!(message.ends_with(" Error: Runtime exited with error: exit status 127"), "{message}");
    }
}
