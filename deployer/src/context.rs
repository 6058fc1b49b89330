//! What every command gets: the settings, the events to tell through, and a connection made when first asked for.

use std::io::{IsTerminal, Write};

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::aws::Aws;
use crate::events::{Event, Events};
use crate::failure::Usage;
use crate::interrupt::{self, Interrupted};
use crate::progress;
use crate::settings::Settings;

const ASKING: &str = "asking for confirmation";

/// The surroundings of a command.
pub struct Context {
    /// What is meant.
    pub settings: Settings,
    /// Where to tell what happens.
    pub events: Events,
    aws: OnceCell<Aws>,
}

impl Context {
    /// The surroundings that the settings ask for. Nothing is contacted yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let events = progress::listener(&settings.output);
        Self { settings, events, aws: OnceCell::new() }
    }

    /// The connection. The first call makes it (starting the embedded endpoint with `--local`), asks who is calling, and
    /// tells the user which account and region this is about.
    ///
    /// # Errors
    /// What stands in the way: no credentials, no region, an endpoint that does not answer, a state folder in use.
    pub async fn aws(&self) -> anyhow::Result<&Aws> {
        self.aws
            .get_or_try_init(|| async {
                let aws = Aws::connect(&self.settings).await?;
                self.events.emit(Event::Place(aws.place().clone()));
                if let (true, Some(url)) = (aws.is_shared(), &aws.place().endpoint) {
                    self.events
                        .note(format!("`deployer local` runs on this state already: using it, at {url}, with the settings it was started with"));
                }
                Ok(aws)
            })
            .await
    }

    /// Refuses to go on when the user would have to be asked and cannot be. For verbs that change things, first of all.
    ///
    /// # Errors
    /// [`Usage`], naming `--yes`.
    pub fn can_confirm(&self) -> Result<(), Usage> {
        if self.settings.yes || (std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            return Ok(());
        }
        Err(Usage(
            "this asks for confirmation, and there is no terminal to ask on; say --yes to go ahead"
                .to_owned(),
        ))
    }

    /// Asks a question, to which only `y` and `yes` agree; `--yes` answers it.
    ///
    /// # Errors
    /// When the terminal cannot be read; Ctrl-C.
    pub async fn confirm(&self, question: &str) -> anyhow::Result<bool> {
        if self.settings.yes {
            return Ok(true);
        }
        let answer = self.ask(&format!("{question} [y/N]")).await?.to_lowercase();
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }

    /// Asks a question whose answer cannot be given by habit: only this name agrees; `--yes` answers it.
    ///
    /// # Errors
    /// When the terminal cannot be read; Ctrl-C; another answer.
    pub async fn confirm_by_name(&self, question: &str, name: &str) -> anyhow::Result<()> {
        if self.settings.yes {
            return Ok(());
        }
        let answer = self.ask(&format!("{question} Type its name, {name}, to agree:")).await?;
        anyhow::ensure!(!answer.is_empty(), "declined; nothing was changed");
        anyhow::ensure!(answer == name, "\"{answer}\" is not {name}; nothing was changed");
        Ok(())
    }

    /// The line that the user types, without the space around it.
    async fn ask(&self, question: &str) -> anyhow::Result<String> {
        let tell = |text: &str| {
            let mut stderr = std::io::stderr().lock();
            stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush())
        };
        self.events.suspend(|| tell(&format!("{question} "))).transpose().context(ASKING)?;
        let (typed, line) = tokio::sync::oneshot::channel();
        // A thread of its own: after Ctrl-C nothing waits for it, as for those of the runtime.
        std::thread::spawn(move || {
            let mut line = String::new();
            typed.send(std::io::stdin().read_line(&mut line).map(|_| line))
        });
        let line = tokio::select! {
            () = interrupt::interrupted() => {
                tell("\n").context(ASKING)?;
                return Err(Interrupted::Signal.into());
            }
            line = line => line.context(ASKING)?.context(ASKING)?,
        };
        if !line.ends_with('\n') {
            tell("\n").context(ASKING)?;
        }
        Ok(line.trim().to_owned())
    }

    /// Ends the embedded endpoint, if one was started.
    pub async fn close(self) {
        if let Some(aws) = self.aws.into_inner() {
            aws.close().await;
        }
    }
}
