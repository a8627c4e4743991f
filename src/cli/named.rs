//! What the command line names of a recipe must be in it: a pattern that fits nothing, or an id that is not there, is a slip.
use super::options::ReachArgs;
use crate::engine::matches;
use crate::error::Error;
use crate::id::Id;
use crate::recipe::nearest;
use crate::resource::Allowed;
use std::collections::BTreeSet;

/// Returns what is wrong with the patterns of `--only` and with the ids of `--adopt` and its like.
pub(super) fn mistake(ids: &[Id], recipe: &str, reach: &ReachArgs, allowed: &Allowed) -> Option<Error> {
    let error = |option: &str, given: &str, why: String| {
        Error::new(format!("reading `--{option} {given}`"))
            .reason(why)
            .remedy("look at `provision plan -v` for the ids, correct it, then run the same command again")
    };
    let only = reach.only.iter().find(|glob| !ids.iter().any(|id| matches(glob, id)));
    if let Some(glob) = only {
        let why = format!("no resource of `{recipe}` fits that pattern{}", did_you_mean(glob, ids));
        return Some(error("only", glob, why));
    }
    let lists: [(&str, &BTreeSet<String>, Option<&str>); 4] = [
        ("adopt", &allowed.adopt, None),
        ("restart", &allowed.restart, Some("container")),
        ("replace", &allowed.replace, Some("container")),
        ("data", &allowed.data, None),
    ];
    lists.into_iter().find_map(|(option, given, kind)| {
        let named = |id: &Id, name: &str| id.name == name || id.local() == name || id.to_string() == name;
        let of_kind = |id: &&Id| kind.is_none_or(|kind| id.kind == kind);
        let unknown = given.iter().find(|name| !ids.iter().filter(of_kind).any(|id| named(id, name)))?;
        let what = kind.unwrap_or("resource");
        let why = format!("`{recipe}` has no {what} of that id{}", did_you_mean(unknown, ids));
        Some(error(option, unknown, why))
    })
}

fn did_you_mean(given: &str, ids: &[Id]) -> String {
    let texts: Vec<String> = ids.iter().flat_map(|id| [id.to_string(), id.local()]).collect();
    nearest(given, texts.iter().map(String::as_str)).map_or(String::new(), |near| format!(": did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(only: &[&str], restart: &[&str]) -> Option<String> {
        let ids: Vec<Id> =
            ["host/file:/etc/motd", "host/container:201", "201/user:lilly"].map(|id| id.parse().unwrap()).into();
        let set = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        let reach = ReachArgs { only: only.iter().map(|one| (*one).to_owned()).collect(), jobs: 1 };
        let allowed = Allowed { restart: set(restart), ..Allowed::default() };
        mistake(&ids, "eidolons", &reach, &allowed).map(|error| error.causes.join("\n"))
    }

    #[test]
    fn a_pattern_must_fit_something_and_an_id_must_be_there() {
        assert_eq!(said(&["201/*", "file:*"], &["201", "container:201", "host/container:201"]), None);
        let near = "no resource of `eidolons` fits that pattern: did you mean `file:/etc/motd`?";
        assert_eq!(said(&["201/*", "file:/etc/motdd"], &[]).as_deref(), Some(near));
        assert_eq!(said(&[], &["lilly"]).as_deref(), Some("`eidolons` has no container of that id"));
        assert_eq!(said(&[], &["999"]).as_deref(), Some("`eidolons` has no container of that id"));
    }
}
