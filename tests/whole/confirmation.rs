//! What is asked before something is changed, and what counts as an answer: in a terminal, since elsewhere nobody is asked.

use std::path::Path;
use std::process::Command;

use crate::harness::{Said, World, isolated, tool};

/// Runs a command in a terminal; once the question is shown, types the answer.
pub fn answered(command: &Command, question: &str, answer: &str) -> Said {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/terminal.py");
    let mut terminal = isolated(tool("python"));
    terminal.arg(script).args([question, answer]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => terminal.env(name, value),
            None => terminal.env_remove(name),
        };
    }
    terminal.current_dir(command.get_current_dir().expect("a test's own folder"));
    Said::by(&mut terminal)
}

/// The stack that every world has.
const NAME: &str = "deployer-power-tuning";

#[track_caller]
fn shows(said: &Said, text: &str) {
    assert!(said.stdout.contains(text), "no {text:?} in the terminal:\n{}", said.stdout);
}

#[tokio::test]
async fn only_the_name_of_the_stack_deletes_it() {
    let world = World::new().await;
    let destroy = world.command(&["destroy"]);
    for (answer, says) in [
        ("sorry\n", "error: \"sorry\" is not deployer-power-tuning; nothing was changed"),
        ("yes\n", "error: \"yes\" is not deployer-power-tuning; nothing was changed"),
        ("\n", "error: declined; nothing was changed"),
        // Ctrl-D: the end of the input.
        ("\u{4}", "error: declined; nothing was changed"),
    ] {
        let said = answered(&destroy, "Delete this stack?", answer).status(1);
        shows(&said, says);
        assert_eq!(world.status(NAME).await, "CREATE_COMPLETE", "{answer:?} deletes the stack");
    }

    // Ctrl-C, as a terminal sends it.
    let said = answered(&destroy, "Delete this stack?", "\u{3}").status(130);
    assert_eq!(said.stdout.lines().last(), Some("error: interrupted"), "{}", said.stdout);
    assert_eq!(world.status(NAME).await, "CREATE_COMPLETE", "Ctrl-C deletes the stack");

    let said = answered(&destroy, "Delete this stack?", &format!("{NAME}\n")).success();
    shows(&said, "The stack deployer-power-tuning is deleted");
}

#[tokio::test]
async fn a_deployment_is_agreed_to_by_a_whole_word() {
    let world = World::empty().await;
    let up = world.released(&["up", "--architecture", std::env::consts::ARCH]);
    for (answer, status, says) in [
        ("yellow\n", 1, "error: declined; the stack is as it was"),
        ("\u{3}", 130, "error: interrupted"),
        ("n\n", 1, "error: declined; the stack is as it was"),
    ] {
        let said = answered(&up, "Deploy these changes? [y/N]", answer).status(status);
        shows(&said, says);
        assert_eq!(world.status(NAME).await, "gone", "{answer:?} leaves a stack");
    }
    shows(&answered(&up, "Deploy these changes? [y/N]", "YES\n").success(), "StateMachineARN");
}
