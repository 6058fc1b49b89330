//! The user's browser: the one that `BROWSER` names, else the system's own.

use crate::events::Events;

/// Opens a link. That no browser could be opened is a warning which has the link.
pub async fn open(link: &str, events: &Events) {
    let target = link.to_owned();
    // A text browser is at work until it is closed.
    let opened = tokio::task::spawn_blocking(move || webbrowser::open(&target)).await;
    let problem = match opened {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    events.warning(format!("no browser could be opened ({problem}); the link is {link}"));
}
