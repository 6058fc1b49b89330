//! `compare`: the runs of several chart links, or files with results, side by side, as text and as one link. Nothing is contacted: a
//! link holds its whole run, and a result its link.

use std::fmt::Write as _;
use std::path::Path;

use tuning::Currency;
use tuning::url::{self, Extras, Run};

use crate::failure::Usage;
use crate::kept;
use crate::outcome::Outcome;
use crate::render::Form;
use crate::render::comparison::Comparison;
use crate::site;

/// The resolved options of `compare`.
#[derive(Debug)]
pub struct Options {
    /// Files with results, links, or links' fragments.
    pub links: Vec<String>,
    /// Names of the runs, in their order; runs beyond them keep their own.
    pub names: Vec<String>,
    /// The page that the new link leads to; none for the first link's.
    pub page: Option<String>,
    /// Whether to write Markdown rather than text.
    pub markdown: bool,
}

/// Reads the links and compares their runs with the first one.
///
/// # Errors
/// [`Usage`]: links that are wrong (all of them, each with what is wrong), fewer than two runs, more names than runs, amounts
/// in different currencies.
pub fn run(options: Options) -> anyhow::Result<Outcome> {
    let Options { links, names, page, markdown } = options;
    let links = read(&links)?;
    let currency = currency(&links)?;
    let page =
        page.or_else(|| links.iter().find_map(|link| link.page.clone())).unwrap_or_else(site::local_url);
    let mut runs: Vec<Run> = links.into_iter().flat_map(|link| link.runs).collect();
    if runs.len() < 2 {
        return Err(
            Usage("there is one run to compare, and it takes two: name another link".to_owned()).into()
        );
    }
    if names.len() > runs.len() {
        let (names, runs) = (names.len(), runs.len());
        return Err(Usage(format!("--name is given {names} times, and there are {runs} runs")).into());
    }
    for (run, name) in runs.iter_mut().zip(names) {
        run.name = name;
    }
    if url::is_old_page(&page) {
        // It opens only links without anything that it does not know.
        runs.iter_mut().for_each(|run| run.extras = Extras::default());
    }
    let link =
        url::encode(&without_currency(&page), &runs, currency).map_err(|error| Usage(error.to_string()))?;
    let form = if markdown { Form::Markdown } else { Form::Text };
    Ok(Outcome::new(&Comparison::new(&runs, currency, link, form))?.folded(!markdown))
}

/// A link taken apart.
struct Link {
    /// What stands before the `#`; none when only the fragment was given.
    page: Option<String>,
    runs: Vec<Run>,
}

impl Link {
    fn read(text: &str) -> Result<Self, String> {
        let file = Path::new(text);
        if file.is_file() { Self::of_file(file) } else { Self::of_link(text) }
    }

    fn of_link(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (page, hash) = match text.split_once('#') {
            Some((page, hash)) => (page, hash),
            None if text.contains("://") => {
                return Err("it has no `#`, and what stands after that is the result; quote the link, and copy all of it".to_owned());
            }
            None => ("", text),
        };
        let runs = url::decode(hash).map_err(|error| error.to_string())?;
        Ok(Self { page: (!page.is_empty()).then(|| page.to_owned()), runs })
    }

    /// The runs of a file: those without a name get the file's, or their function's where it has several.
    fn of_file(file: &Path) -> Result<Self, String> {
        let mut whole = Self { page: None, runs: Vec::new() };
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let all = kept::read(file).map_err(|error| error.to_string())?;
        let several = all.len() > 1;
        for kept in all {
            let mut link = Self::of_link(&kept.analysis.state_machine.visualization)?;
            let name = kept.function.filter(|_| several).unwrap_or_else(|| stem.clone());
            for run in link.runs.iter_mut().filter(|run| run.name.is_empty()) {
                run.name.clone_from(&name);
            }
            whole.page = whole.page.or(link.page);
            whole.runs.append(&mut link.runs);
        }
        Ok(whole)
    }

    fn currency(&self) -> Option<Currency> {
        let (_, query) = self.page.as_ref()?.split_once('?').unwrap_or_default();
        Some(Currency::from_query(query))
    }
}

fn read(texts: &[String]) -> Result<Vec<Link>, Usage> {
    let mut links = Vec::new();
    let mut problems = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match Link::read(text) {
            Ok(link) => links.push(link),
            Err(problem) => problems.push(format!("link {} ({}): {problem}", index + 1, beginning(text))),
        }
    }
    if problems.is_empty() { Ok(links) } else { Err(Usage(problems.join("\n"))) }
}

/// Enough of a link to know it by.
fn beginning(link: &str) -> String {
    const ENOUGH: usize = 60;
    let mut text: String = link.chars().take(ENOUGH).filter(|c| !c.is_control()).collect();
    if link.chars().nth(ENOUGH).is_some() {
        text.push('…');
    }
    text
}

/// The currency of all links. A fragment alone does not say, and is taken to be in that of the others.
fn currency(links: &[Link]) -> Result<Currency, Usage> {
    let known: Vec<(usize, Currency)> =
        links.iter().enumerate().filter_map(|(index, link)| Some((index + 1, link.currency()?))).collect();
    let Some(&(first, currency)) = known.first() else { return Ok(Currency::default()) };
    match known.iter().find(|(_, other)| *other != currency) {
        None => Ok(currency),
        Some((index, other)) => Err(Usage(format!(
            "link {index} is in {other} and link {first} in {currency}: costs in different currencies cannot be compared"
        ))),
    }
}

/// The address of a page without the currency, which the encoder adds.
fn without_currency(page: &str) -> String {
    let Some((path, query)) = page.split_once('?') else { return page.to_owned() };
    let mut address = path.to_owned();
    for (index, pair) in query.split('&').filter(|pair| !pair.starts_with("currency=")).enumerate() {
        let mark = if index == 0 { '?' } else { '&' };
        // Writing to a text does not fail.
        let _ = write!(address, "{mark}{pair}");
    }
    address
}
