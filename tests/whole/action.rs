//! The action for pull requests and the workflow of a release: their steps by hand, against the endpoint.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Said, World, built, isolated, tool};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A step of the action in a folder of its own, as a runner starts it.
fn step(name: &str, folder: &Path) -> Command {
    let mut command = isolated(repository().join("deployer/action").join(name));
    let path = std::env::var("PATH").unwrap();
    let ours = built("deployer");
    command
        .env("PATH", format!("{}:{}:{path}", folder.join("bin").display(), ours.parent().unwrap().display()))
        .env("GITHUB_PATH", folder.join("path"))
        .env("GITHUB_OUTPUT", folder.join("output"))
        .env("GITHUB_STEP_SUMMARY", folder.join("summary"))
        .env("RUNNER_TEMP", folder)
        .current_dir(folder);
    command
}

fn text(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

/// An output of a step.
fn output(folder: &Path, name: &str) -> String {
    let all = text(folder, "output");
    let found = all.lines().rev().find_map(|line| line.strip_prefix(&format!("{name}=")));
    found.unwrap_or_else(|| panic!("no {name} in\n{all}")).to_owned()
}

#[test]
fn action_and_workflow_are_as_the_forge_reads_them() {
    for (schema, file) in [
        ("vendor.github-actions", "deployer/action/action.yml"),
        ("vendor.github-workflows", ".github/workflows/release.yml"),
    ] {
        let mut check = isolated(tool("check-jsonschema"));
        Said::by(check.args(["--builtin-schema", schema, file]).current_dir(repository())).success();
    }
}

#[tokio::test]
async fn the_steps_of_the_action_tune_write_comment_and_commit() {
    let world = World::new().await;
    world.sample("wait", "io").await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let template = "Resources:\n  Wait:\n    Type: AWS::Lambda::Function\n    Properties:\n      FunctionName: wait\n      MemorySize: 256 # MB\n";
    std::fs::write(folder.join("template.yaml"), template).unwrap();
    let git = |arguments: &[&str]| {
        let mut git = isolated("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").args(arguments);
        Said::by(git.current_dir(folder)).success().stdout
    };
    git(&["init", "--quiet", "--bare", "remote.git"]);
    git(&["init", "--quiet", "--initial-branch", "main"]);
    git(&["add", "template.yaml"]);
    git(&["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "first"]);
    git(&["remote", "add", "origin", "./remote.git"]);
    git(&["push", "--quiet", "--set-upstream", "origin", "main"]);

    assert!(Said::by(&mut step("install", folder)).success().stdout.starts_with("deployer 0."));
    let wrong = Said::by(step("install", folder).env("PACKAGE", "release.zip")).status(1);
    assert!(wrong.stdout.contains("neither a wheel (.whl) nor a tarball"), "{}", wrong.stdout);

    let tune = |more: &[(&str, &str)]| {
        let mut tune = step("tune", folder);
        tune.env("AWS_ENDPOINT_URL", &world.url).env("FUNCTION", "wait").env("POWER_VALUES", "512");
        Said::by(tune.env("OPTIONS", "--num=5\n--quiet").envs(more.iter().copied()))
    };
    tune(&[("WRITE", "template.yaml")]).success();
    assert_eq!((output(folder, "power"), output(folder, "gate")), ("512".to_owned(), "met".to_owned()));
    assert!(text(folder, "output").contains("written<<end-of-the-files\ntemplate.yaml\nend-of-the-files\n"));
    assert!(text(folder, "summary").starts_with("**wait should have 512 MB"));
    let chart = output(folder, "chart");
    assert!(tuning::url::decode(chart.split_once('#').unwrap().1).is_ok(), "{chart}");

    // One comment, which is written first and updated then.
    std::fs::create_dir(folder.join("bin")).unwrap();
    let gh = folder.join("bin/gh");
    std::fs::write(
        &gh,
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>\"$LOG\"\ncase \"$*\" in *--paginate*) cat \"$KNOWN\";; esac\n",
    )
    .unwrap();
    std::fs::set_permissions(&gh, std::fs::Permissions::from_mode(0o755)).unwrap();
    let comment = |known: &str| {
        std::fs::write(folder.join("known"), known).unwrap();
        let _ = std::fs::remove_file(folder.join("log"));
        let mut comment = step("comment", folder);
        comment.env("FUNCTION", "wait").env("NUMBER", "7").env("REPOSITORY", "team/shop");
        comment
            .env("REPORT", output(folder, "report"))
            .env("LOG", folder.join("log"))
            .env("KNOWN", folder.join("known"));
        Said::by(&mut comment).success();
        text(folder, "log")
    };
    let first = comment("");
    assert!(first.contains("--method POST repos/team/shop/issues/7/comments --raw-field body=<!-- deployer: wait -->\n**wait should"), "{first}");
    let second = comment("42\n43\n");
    assert!(second.contains("--method PATCH repos/team/shop/issues/comments/42 --raw-field"), "{second}");

    let commit = |written: &str| {
        let mut commit = step("commit", folder);
        commit.env("FUNCTION", "wait").env("POWER", "512").env("WRITTEN", written);
        Said::by(&mut commit).success()
    };
    assert_eq!(commit("").stdout, "the files have that size already\n");
    commit("template.yaml\n");
    assert_eq!(git(&["log", "--format=%s", "origin/main"]), "wait has 512 MB, as measured\nfirst\n");
    assert_eq!(
        git(&["diff", "--stat", "HEAD~1", "--", "template.yaml"])
            .matches("1 insertion(+), 1 deletion(-)")
            .count(),
        1
    );

    // The result is the next one's baseline, and a gate that is not met is told to the steps that follow.
    let kept = output(folder, "result");
    tune(&[("BASELINE", &kept), ("MAX_REGRESSION", "900%")]).success();
    assert_eq!(output(folder, "gate"), "met");
    tune(&[("OPTIONS", "--num=5\n--max-duration-ms=0.001")]).success();
    assert_eq!(output(folder, "gate"), "not-met");
    tune(&[("FUNCTION", "nobody")]).status(1).complains(&["the function nobody does not exist"]);
}
