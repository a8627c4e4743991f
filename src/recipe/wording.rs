//! What serde says about a field, in the words of a recipe.
use super::suggest::nearest;

/// What an error is about.
pub(super) struct Spot<'a> {
    pub(super) header: &'a str,
    /// The keys that lead to it.
    pub(super) path: &'a [String],
    /// Its value holds a secret and must not be shown.
    pub(super) secret: bool,
}

/// Returns the key that was meant where an error is about one that is unknown.
pub(super) fn meant(message: &str) -> Option<&str> {
    let rest = message.strip_prefix("unknown field `")?;
    let (name, known) = rest.split_once('`')?;
    nearest(name, backticked(known))
}

/// Returns the title and the label of an error.
pub(super) fn of(message: &str, spot: &Spot<'_>) -> (String, String) {
    let (key, above) = spot.path.split_last().map_or(("", &[][..]), |(key, above)| (key.as_str(), above));
    let place = format!("`{key}` in {}", container(spot.header, above));
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let name = rest.split('`').next().unwrap_or_default();
        let known = backticked(rest.split_once("expected").map_or("", |(_, known)| known));
        let label = match meant(message) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it has {}", super::document::listed(&known)),
        };
        return (format!("unknown key `{name}` in {}", container(spot.header, above)), label);
    }
    if spot.secret {
        return (format!("wrong value for {place}"), "the secret in it is not what this field takes".to_owned());
    }
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        let name = rest.split('`').next().unwrap_or_default();
        let known = backticked(rest.split_once("expected").map_or("", |(_, known)| known));
        let label = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("expected one of {}", super::document::listed(&known)),
        };
        return (format!("unknown value `{name}` for {place}"), label);
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return (format!("wrong type for {place}"), format!("expected {}, found {}", shape(expected), shape(found)));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid value: ").and_then(|rest| rest.split_once(", expected "))
    {
        return (
            format!("value out of range for {place}"),
            format!("expected {}, found {}", shape(expected), shape(found)),
        );
    }
    (format!("wrong value for {place}"), message.to_owned())
}

/// Returns the key that an error says is missing.
pub(super) fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.split('`').next()
}

/// Returns what a key stands in: `[[container]]`, or "`mounts` of [[container]]".
pub(super) fn container(header: &str, path: &[String]) -> String {
    if path.is_empty() { format!("[[{header}]]") } else { format!("`{}` of [[{header}]]", path.join(".")) }
}

/// Says a type of serde's as a recipe's author knows it.
fn shape(serde: &str) -> String {
    let bare = serde.split(" with ").next().unwrap_or(serde);
    match bare {
        "map" | "a map" => "a table".to_owned(),
        "sequence" | "a sequence" => "a list".to_owned(),
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or above".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        _ if bare.starts_with("struct ") => "a table".to_owned(),
        _ if bare.starts_with("integer `") || bare.starts_with("boolean `") || bare.starts_with("floating") => {
            format!("the {bare}")
        }
        _ if bare.starts_with("string \"") => format!("the {bare}"),
        _ => serde.to_owned(),
    }
}

fn backticked(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
