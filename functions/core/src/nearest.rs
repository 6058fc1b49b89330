//! What somebody meant by a name that is none.

/// The name that is nearest to a wrong one, if it is near enough to be meant: a quarter of its letters may differ. Spellings differ
/// in case and separators first of all (`lambda_arn`, `Power-Values`), which do not count.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' '], "");
    let wrong = plain(wrong);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wrong, &plain(name)), name))
        .filter(|(distance, name)| *distance <= name.len().div_ceil(4))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
