//! What `--var` gave a run, as it is recorded: with names and values, but for what is or may be a secret.
use super::items;
use crate::hub::{Discreet, HIDDEN, is_secret_name};
use crate::recipe::Recipe;
use serde_json::Value;
use std::collections::BTreeMap;

/// A shorter value is in a secret by chance.
const SHORTEST: usize = 4;

/// Returns the variables with what may be kept of their values.
pub(in crate::cli) fn recorded(given: &[(String, String)], recipe: &Recipe) -> BTreeMap<String, String> {
    let mut flown = Vec::new();
    items(&recipe.stages).for_each(|item| secrets_by_name(&item.job.fields, false, &mut flown));
    let is_in =
        |value: &str| flown.iter().any(|secret| *secret == value || value.len() >= SHORTEST && secret.contains(value));
    let discreet = Discreet::new(recipe.secrets.iter().cloned().chain(flown.iter().map(|secret| (*secret).to_owned())));
    let kept = |(name, value): &(String, String)| {
        let is_secret = recipe.secret_vars.contains(name) || is_in(value);
        (name.clone(), if is_secret { HIDDEN.to_owned() } else { discreet.named(name, value) })
    };
    given.iter().map(kept).collect()
}

/// Gathers the texts of fields that are secrets by their names, such as `password` or a `GITHUB_TOKEN` in `env`.
fn secrets_by_name<'a>(value: &'a Value, named: bool, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if named && !text.is_empty() => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| secrets_by_name(value, named, found)),
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| secrets_by_name(value, named || is_secret_name(name), found));
        }
        _ => {}
    }
}
