//! NFS exports as exports(5) writes them, in /etc/exports, /etc/exports.d and, completed, in /var/lib/nfs/etab.

/// One path for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// The directory.
    pub path: String,
    /// A host, network, netgroup or pattern; `*` for everyone.
    pub client: String,
    /// As written.
    pub options: Vec<String>,
}

/// Returns the exports of a file; a line's default options (`-ro`) are put in front of each client's own.
pub fn parse_exports(text: &str) -> Vec<Export> {
    let joined = text.replace("\\\n", " ");
    joined.lines().flat_map(line_exports).collect()
}

fn line_exports(line: &str) -> Vec<Export> {
    let mut words = words(line).into_iter();
    let Some(path) = words.next() else { return Vec::new() };
    let mut defaults: Vec<String> = Vec::new();
    let mut exports = Vec::new();
    for word in words {
        if let Some(options) = word.strip_prefix('-') {
            defaults = split(options);
            continue;
        }
        let (client, options) = word.split_once('(').unwrap_or((&word, ""));
        let client = if client.is_empty() { "*" } else { client };
        let mut all = defaults.clone();
        all.extend(split(options.trim_end_matches(')')));
        exports.push(Export { path: path.clone(), client: client.to_owned(), options: all });
    }
    if exports.is_empty() {
        exports.push(Export { path, client: "*".to_owned(), options: defaults });
    }
    exports
}

fn split(options: &str) -> Vec<String> {
    options.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect()
}

/// Splits at white space outside quotes, up to a `#`; `\040` is the byte of that octal number.
fn words(line: &str) -> Vec<String> {
    let bytes = line.as_bytes();
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut word, mut quoted, mut at) = (None::<Vec<u8>>, false, 0);
    while at < bytes.len() {
        let octal = bytes.get(at + 1..at + 4).and_then(octal);
        match bytes[at] {
            b'#' if !quoted => break,
            b'"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            b'\\' if octal.is_some() => {
                word.get_or_insert_default().extend(octal);
                at += 3;
            }
            byte if byte.is_ascii_whitespace() && !quoted => words.extend(word.take()),
            byte => word.get_or_insert_default().push(byte),
        }
        at += 1;
    }
    words.extend(word);
    words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn octal(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|digit| digit.is_ascii_digit()))?;
    u8::from_str_radix(text, 8).ok()
}

/// Returns a path as exports(5) takes it: what is not plain as `\` and three octal digits.
pub fn escaped(path: &str) -> String {
    use std::fmt::Write as _;
    path.bytes().fold(String::with_capacity(path.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-+@%:=,~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "\\{byte:03o}");
        }
        text
    })
}

/// Returns an option as etab has it: some have two spellings.
pub fn canonical(option: &str) -> &str {
    match option {
        "auth_nlm" => "secure_locks",
        "no_auth_nlm" => "insecure_locks",
        "fsid=root" => "fsid=0",
        "mp" => "mountpoint",
        other => other,
    }
}

/// Returns what is wrong with an option, where something is.
pub fn wrong_option(option: &str) -> Option<String> {
    const PLAIN: &[&str] = &[
        "ro",
        "rw",
        "sync",
        "async",
        "wdelay",
        "no_wdelay",
        "hide",
        "nohide",
        "crossmnt",
        "nocrossmnt",
        "secure",
        "insecure",
        "root_squash",
        "no_root_squash",
        "all_squash",
        "no_all_squash",
        "subtree_check",
        "no_subtree_check",
        "secure_locks",
        "insecure_locks",
        "auth_nlm",
        "no_auth_nlm",
        "acl",
        "no_acl",
        "pnfs",
        "no_pnfs",
        "security_label",
        "mountpoint",
        "mp",
    ];
    const WITH_VALUE: &[&str] =
        &["anonuid", "anongid", "fsid", "sec", "refer", "replicas", "mountpoint", "mp", "xprtsec"];
    let unplain = |c: char| c.is_whitespace() || c.is_control() || "()#\"\\".contains(c);
    match option.split_once('=') {
        _ if option.contains(unplain) => Some(format!("`{option}` is not an option of an export")),
        None if PLAIN.contains(&option) => None,
        Some(("anonuid" | "anongid", number)) if number.parse::<i64>().is_err() => {
            Some(format!("`{option}`: a number is expected"))
        }
        Some((name, value)) if WITH_VALUE.contains(&name) && !value.is_empty() => None,
        _ => Some(format!("`{option}` is not an option of an export: exports(5) has them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAB: &str = "\
/srv/pk\\040b\t10.0.100.7(rw,sync,crossmnt,root_squash,anonuid=65534,sec=krb5:sys,rw)
/srv/pk-a\t*.foo.edu(rw,async,no_root_squash,sec=sys)
/srv/pk-a\tfd00::/64(rw,sync,fsid=3)
";

    fn shown(text: &str) -> Vec<String> {
        let one = |export: Export| format!("{} {} {}", export.path, export.client, export.options.join(","));
        parse_exports(text).into_iter().map(one).collect()
    }

    #[test]
    fn etab_is_read() {
        assert_eq!(
            shown(ETAB),
            [
                "/srv/pk b 10.0.100.7 rw,sync,crossmnt,root_squash,anonuid=65534,sec=krb5:sys,rw",
                "/srv/pk-a *.foo.edu rw,async,no_root_squash,sec=sys",
                "/srv/pk-a fd00::/64 rw,sync,fsid=3",
            ]
        );
    }

    #[test]
    fn exports_are_read_as_people_write_them() {
        for (text, expected) in [
            ("# comment\n\n", &[] as &[&str]),
            ("/srv # all\n", &["/srv * "]),
            ("\"/srv/a b\" h(rw) @g(ro)", &["/srv/a b h rw", "/srv/a b @g ro"]),
            ("/srv -sync,ro a b(rw) \\\n  (async)", &["/srv a sync,ro", "/srv b sync,ro,rw", "/srv * sync,ro,async"]),
            ("/a\\134b h", &["/a\\b h "]),
            ("/a\\9 h(", &["/a\\9 h "]),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_that_is_written_is_read_back() {
        for path in ["/srv/a b", "/srv/ä\"#(x)\\", "/srv/plain-1.2_@+"] {
            assert_eq!(parse_exports(&format!("{} h(ro)", escaped(path)))[0].path, path);
        }
    }

    #[test]
    fn an_unknown_option_would_take_all_exports_down_and_is_refused() {
        for good in ["rw", "no_root_squash", "anonuid=-1", "sec=krb5p:sys", "fsid=root"] {
            assert_eq!(wrong_option(good), None, "{good}");
        }
        for bad in ["syncx", "", "anonuid=me", "fsid=", "rw)", "sec=a b"] {
            assert!(wrong_option(bad).is_some(), "{bad}");
        }
    }
}
