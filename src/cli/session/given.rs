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
    items(&recipe.stages).for_each(|item| called_secret(&item.job.fields, &mut flown));
    let is_in =
        |value: &str| flown.iter().any(|secret| secret == value || value.len() >= SHORTEST && secret.contains(value));
    let discreet = Discreet::new(recipe.secrets.iter().cloned().chain(flown.iter().cloned()));
    let kept = |(name, value): &(String, String)| {
        let is_secret = recipe.secret_vars.contains(name) || is_in(value);
        (name.clone(), if is_secret { HIDDEN.to_owned() } else { discreet.named(name, value) })
    };
    given.iter().map(kept).collect()
}

/// Gathers what fields call a secret: by their names, such as `password` or a `GITHUB_TOKEN` in `env`, or in a text.
pub(in crate::cli) fn called_secret(fields: &Value, found: &mut Vec<String>) {
    match fields {
        Value::String(text) => found.extend(Discreet::told_by(text)),
        Value::Array(values) => values.iter().for_each(|value| called_secret(value, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret_name(name) { texts(value, found) } else { called_secret(value, found) }
            }
        }
        _ => {}
    }
}

/// Gathers all texts.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}
