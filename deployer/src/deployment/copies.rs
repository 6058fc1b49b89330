//! What goes with copies of functions: what deploying them allows, said in words, and the bucket that their code goes through.

use std::collections::BTreeMap;

use super::bucket::Bucket;
use super::page;
use super::parameters::Parameters;
use super::stack::Stack;
use crate::app::COPIES_BUCKET;
use crate::aws::Aws;
use crate::events::Events;
use crate::failure::{Usage, hinted};
use crate::options::{COPIES, COPY_ROLE, COPYABLE_ROLES};

/// What `copies` will be.
fn value<'a>(parameters: &'a Parameters, deployed: Option<&'a BTreeMap<String, String>>) -> &'a str {
    parameters.value(&COPIES, deployed).unwrap_or("no")
}

/// Refuses copies that could run under no role.
///
/// # Errors
/// [`Usage`] naming what is missing.
pub fn check(parameters: &Parameters, deployed: Option<&Stack>) -> anyhow::Result<()> {
    let deployed = deployed.map(|stack| &stack.parameters);
    let given = |value: Option<&str>| value.is_some_and(|value| !value.trim_matches([',', ' ']).is_empty());
    let has_role =
        given(parameters.value(&COPY_ROLE, deployed)) || given(parameters.value(&COPYABLE_ROLES, deployed));
    match value(parameters, deployed) {
        "no" => Ok(()),
        _ if has_role => Ok(()),
        how => Err(hinted(
            Usage(format!("copies {how}: nothing says which role copies may run under")),
            "name the roles of the functions to be tuned with --copyable-roles, or one role for all copies with --copy-role",
        )),
    }
}

/// What this deployment allows with regard to copies that the one before did not, in words.
#[must_use]
pub fn explained(parameters: &Parameters, deployed: Option<&Stack>) -> Vec<String> {
    let before = deployed.map(|stack| &stack.parameters);
    let now = value(parameters, before);
    if now == "no" || before.is_some_and(|before| parameters.change_nothing(before)) {
        return Vec::new();
    }
    let given = [parameters.value(&COPY_ROLE, before), parameters.value(&COPYABLE_ROLES, before)];
    let named = given.into_iter().flatten().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        format!(
            "copies {now}: runs may create, invoke and delete functions in this account and region whose names begin with \"{}\"",
            tuning::copies::PREFIX
        ),
        format!("these copies may run under {named} and can do all that such a role may do; nobody but Lambda is given it"),
        "runs may read code and settings of the functions in lambda-resource, environment included, to copy them; the code lies in a private \
         bucket of the stack while a run lasts, a day at most"
            .to_owned(),
    ];
    lines.push(match now {
        "only" => {
            "nothing in the stack may change a function of yours any more: measuring the function itself and --auto-optimize are refused"
                .to_owned()
        }
        _ => "the function itself is changed only by runs with tune \"in-place\" or with --auto-optimize".to_owned(),
    });
    lines
}

/// Deletes what runs have left in the bucket for code: CloudFormation deletes no bucket with anything in it.
///
/// # Errors
/// A permission that is missing.
pub async fn empty(aws: &Aws, stack: &Stack, events: &Events) -> anyhow::Result<()> {
    if let Some(name) = page::bucket_named(aws, stack, COPIES_BUCKET).await? {
        Bucket::new(aws, Some(&name), events).clear("", is_code).await?;
    }
    Ok(())
}

/// Whether a deployment takes the bucket away.
#[must_use]
pub fn ends(parameters: &Parameters, deployed: &Stack) -> bool {
    let deployed = &deployed.parameters;
    value(parameters, Some(deployed)) == "no" && value(&Parameters::default(), Some(deployed)) != "no"
}

/// Whether a key is one that a run writes.
fn is_code(key: &str) -> bool {
    let hash = key.strip_suffix(".zip");
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Parameters {
        Parameters::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn copies_need_a_role() {
        check(&given(&[]), None).unwrap();
        check(&given(&[("copies", "no"), ("copyRole", "")]), None).unwrap();
        let refused = check(&given(&[("copies", "also"), ("copyableRoles", "")]), None).unwrap_err();
        assert_eq!(refused.to_string(), "copies also: nothing says which role copies may run under");
        check(&given(&[("copies", "only"), ("copyRole", "r")]), None).unwrap();
        check(&given(&[("copies", "also"), ("copyableRoles", "r")]), None).unwrap();
    }

    #[test]
    fn what_is_granted_is_said() {
        assert_eq!(explained(&given(&[("copyRole", "r")]), None), Vec::<String>::new());
        let said =
            explained(&given(&[("copies", "only"), ("copyRole", "r"), ("copyableRoles", "s,t")]), None);
        assert!(said[0].contains("begin with \"deployer-tuning-\""), "{said:?}");
        assert!(said[1].contains("run under r, s,t and can do all"), "{said:?}");
        assert!(said[3].contains("nothing in the stack may change a function"), "{said:?}");
    }

    #[test]
    fn only_what_runs_write_is_deleted() {
        assert!(is_code("0123456789abcdef.zip"));
        assert!(!is_code("mine.zip") && !is_code("0123456789abcdef") && !is_code("a/0123456789abcdef.zip"));
    }
}
