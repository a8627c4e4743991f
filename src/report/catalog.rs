//! The catalog of recipes as text.
use super::style::{Hue, Style, indented, wrap};
use crate::recipe::Listed;
use crate::system::shell_word;

/// Where the names of facts end.
const LEFT: usize = 12;

/// Returns the recipes with what each needs, and below them the parts that others include.
pub fn catalog(listed: &[Listed], style: Style) -> String {
    let (recipes, parts): (Vec<&Listed>, Vec<&Listed>) =
        listed.iter().partition(|found| found.name.is_some() || found.unread.is_some());
    let mut text: String = recipes.iter().map(|found| entry(found, style)).collect();
    if !parts.is_empty() {
        text.push_str(&style.paint(Hue::Strong, "parts, which recipes include:"));
        text.push('\n');
        text.extend(parts.iter().map(|found| entry(found, style)));
    }
    if text.is_empty() { "there are none\n".to_owned() } else { text }
}

fn entry(listed: &Listed, style: Style) -> String {
    let title = listed.title.as_ref().map(|title| format!("  {title}")).unwrap_or_default();
    let mut text = format!("{}{title}\n", style.paint(Hue::Strong, &listed.recipe));
    let mut fact = |name: &str, words: Vec<String>| {
        let last = words.len().saturating_sub(1);
        let words: Vec<String> =
            words.into_iter().enumerate().map(|(at, word)| if at < last { word + "," } else { word }).collect();
        let lines = wrap(words.iter().map(String::as_str), style.width.saturating_sub(LEFT));
        let lines = indented(lines, LEFT);
        if !words.is_empty() {
            text.extend([&format!("  {name:<9} "), lines.trim_start()]);
        }
    };
    let place =
        listed.path.as_ref().map_or_else(|| "ships with provision".to_owned(), |path| path.display().to_string());
    let hidden = if listed.hidden { ", hidden by the one of the machine" } else { "" };
    fact("found", vec![format!("{place}{hidden}")]);
    if let Some(name) = listed.name.as_ref().filter(|name| **name != listed.recipe) {
        fact("name", vec![name.clone()]);
    }
    fact("needs", listed.needs.clone());
    fact("vars", listed.vars.iter().map(|(name, default)| format!("{name} = {default}")).collect());
    fact("secrets", listed.secrets.iter().map(|(name, origin)| format!("{name}: {origin}")).collect());
    fact("includes", listed.includes.clone());
    fact("unread", listed.unread.iter().cloned().collect());
    if listed.mistakes > 0 {
        let count = if listed.mistakes == 1 { "a mistake".to_owned() } else { format!("{} mistakes", listed.mistakes) };
        fact("wrong", vec![format!("{count}: `provision validate {}` says which", shell_word(&listed.recipe))]);
    }
    text
}
