//! Chart links in whatever a reader pastes: addresses one per line, the program's output, Markdown, a result's JSON. Bytes are looked for, not
//! texts: the standard library's search for texts is a thirtieth of the page.

/// One link, still encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pasted<'a> {
    /// The query of its address; `None` for a fragment pasted without an address, which does not say what its costs are in.
    pub query: Option<&'a str>,
    /// The fragment, without `#`.
    pub hash: &'a str,
}

/// Every chart link of a text, in its order. Other words are skipped. A link cut short is returned, so that its decoder can say what is missing.
pub fn links(text: &str) -> impl Iterator<Item = Pasted<'_>> {
    // JSON, HTML and Markdown put addresses between these; links contain none of them.
    text.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`' | '\\')).filter_map(link)
}

fn link(word: &str) -> Option<Pasted<'_>> {
    let (base, hash) = word.split_once('#').unwrap_or(("", word));
    let mut hash = hash.trim_end_matches(',');
    // Markdown's. One that ends a run's name has none opened before the address.
    if base.bytes().any(|byte| byte == b'(') {
        hash = hash.trim_end_matches(')');
    }
    // Some programs escape the whole fragment.
    let parts = hash.bytes().filter(|byte| b";%".contains(byte)).count();
    if base.match_indices(':').any(|(at, _)| base.get(at..).is_some_and(|rest| rest.starts_with("://"))) {
        // Addresses of AWS's console have `#/` and no parts.
        let query = base.split_once('?').map_or("", |(_, query)| query);
        (parts > 0 || !hash.starts_with('/')).then_some(Pasted { query: Some(query), hash })
    } else {
        (parts > 1 && base.is_empty()).then_some(Pasted { query: None, hash })
    }
}
