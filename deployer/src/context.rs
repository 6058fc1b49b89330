//! What every command gets: the settings, the events to tell through, and a connection made when first asked for.

use std::io::IsTerminal;

use anyhow::Context as _;
use tokio::sync::OnceCell;

use crate::aws::Aws;
use crate::events::{Event, Events};
use crate::failure::Usage;
use crate::progress;
use crate::settings::Settings;

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

    /// Asks a question; `--yes` answers it.
    ///
    /// # Errors
    /// When the terminal cannot be read.
    pub fn confirm(&self, question: &str) -> anyhow::Result<bool> {
        if self.settings.yes {
            return Ok(true);
        }
        let ask = || dialoguer::Confirm::new().with_prompt(question).default(false).interact();
        self.events.suspend(ask).unwrap_or(Ok(false)).context("asking for confirmation")
    }

    /// Ends the embedded endpoint, if one was started.
    pub async fn close(self) {
        if let Some(aws) = self.aws.into_inner() {
            aws.close().await;
        }
    }
}
