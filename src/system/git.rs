//! The files of a `.git` directory, as gitrepository-layout(5) and git-config(1) have them. Their content is a user's.
use crate::field::{is_object_id, is_ref_name};
use std::collections::{BTreeMap, BTreeSet};

/// What HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// On this branch.
    Branch(String),
    /// At this commit and on no branch.
    Detached(String),
}

/// Returns what HEAD is; `None` where it is neither.
pub fn parse_head(text: &str) -> Option<Head> {
    let text = text.trim_end();
    if let Some(branch) = text.strip_prefix("ref: refs/heads/") {
        return is_ref_name(branch).then(|| Head::Branch(branch.to_owned()));
    }
    is_object_id(text).then(|| Head::Detached(text.to_owned()))
}

/// An object that a ref names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: String,
    /// The commit behind an annotated tag, where that is known.
    pub peeled: Option<String>,
}

/// Returns the refs of a packed-refs file.
pub fn parse_packed_refs(text: &str) -> BTreeMap<String, Target> {
    let mut refs: BTreeMap<String, Target> = BTreeMap::new();
    let mut last = None;
    for line in text.lines() {
        if let Some(peeled) = line.strip_prefix('^') {
            if let Some(target) = last.as_ref().and_then(|name| refs.get_mut(name)) {
                target.peeled = is_object_id(peeled).then(|| peeled.to_owned());
            }
        } else if let Some((id, name)) = line.split_once(' ').filter(|(id, _)| is_object_id(id)) {
            refs.insert(name.to_owned(), Target { id: id.to_owned(), peeled: None });
            last = Some(name.to_owned());
        }
    }
    refs
}

/// Returns the settings of a config file, `section.subsection.key` and value, in order.
pub fn parse_config(text: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut section = String::new();
    let joined = text.replace("\\\n", "");
    for line in joined.lines().map(str::trim) {
        if let Some(header) = line.strip_prefix('[') {
            let Some(end) = header.rfind(']') else { continue };
            section = match header[..end].split_once(' ') {
                Some((name, sub)) => format!("{}.{}", name.to_lowercase(), unquoted(sub)),
                None => header[..end].to_lowercase(),
            };
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or((line, "true"));
        let key = key.trim().to_lowercase();
        if !key.is_empty() && !key.starts_with(['#', ';']) {
            settings.push((format!("{section}.{key}"), unquoted(value)));
        }
    }
    settings
}

/// Returns a value without quotes, escapes, comment and blanks around it.
fn unquoted(value: &str) -> String {
    let (mut text, mut quoted, mut kept) = (String::new(), false, 0);
    let mut chars = value.trim().chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(other) => text.push(other),
                None => {}
            },
            c => text.push(c),
        }
        if quoted || !text.ends_with(char::is_whitespace) {
            kept = text.len();
        }
    }
    text.truncate(kept);
    text
}

/// Returns the directories that a sparse-checkout file in cone mode takes in with all in them; `None` where it is none.
pub fn parse_cone(text: &str) -> Option<BTreeSet<String>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    if !lines.starts_with(&["/*", "!/*/"]) {
        return None;
    }
    let parents: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("!/")?.strip_suffix("/*/"))
        .filter(|path| !path.is_empty())
        .collect();
    let whole = lines[2..].iter().filter_map(|line| line.strip_prefix('/')?.strip_suffix('/'));
    Some(whole.filter(|path| !parents.contains(path)).map(|path| path.replace('\\', "")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1111111111111111111111111111111111111111";
    const OTHER: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn head_is_a_branch_or_a_commit() {
        assert_eq!(parse_head("ref: refs/heads/feature/x\n"), Some(Head::Branch("feature/x".into())));
        assert_eq!(parse_head(&format!("{ID}\n")), Some(Head::Detached(ID.into())));
        for hostile in ["ref: refs/heads/../../etc/shadow", "ref: /etc/shadow", "", "ref: refs/heads/", "root:x"] {
            assert_eq!(parse_head(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn packed_refs_know_the_commit_of_a_tag() {
        let refs = parse_packed_refs(&format!(
            "# pack-refs with: peeled fully-peeled sorted \n{ID} refs/heads/main\n{OTHER} refs/tags/v1\n^{ID}\nrubbish\n"
        ));
        assert_eq!(refs["refs/heads/main"], Target { id: ID.into(), peeled: None });
        assert_eq!(refs["refs/tags/v1"], Target { id: OTHER.into(), peeled: Some(ID.into()) });
        assert_eq!(refs.len(), 2);
    }

    #[test]
    fn config_is_read_with_sections_quotes_and_comments() {
        let text = "[core]\n\tbare = false # no\n[remote \"origin\"]\n\turl = \"https://a/b;c\" ; x\n\tFetch = +refs/*\n[a]\nflag\n";
        let expected = [
            ("core.bare", "false"),
            ("remote.origin.url", "https://a/b;c"),
            ("remote.origin.fetch", "+refs/*"),
            ("a.flag", "true"),
        ];
        let expected: Vec<_> = expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        assert_eq!(parse_config(text), expected);
        assert_eq!(parse_config("[broken\nurl =\n"), [(".url".to_owned(), String::new())]);
    }

    #[test]
    fn a_cone_has_whole_directories_and_their_parents() {
        let text = "/*\n!/*/\n/AI_Agents/\n/src/\n!/src/*/\n/src/maestro/\n";
        let expected: BTreeSet<String> = ["AI_Agents", "src/maestro"].into_iter().map(str::to_owned).collect();
        assert_eq!(parse_cone(text), Some(expected));
        assert_eq!(parse_cone("/*\n!/*/\n"), Some(BTreeSet::new()));
        assert_eq!(parse_cone("*.md\n"), None);
    }
}
