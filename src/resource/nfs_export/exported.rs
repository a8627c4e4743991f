//! What the NFS server's table, /var/lib/nfs/etab, has of one path, held against what is asked.
use crate::error::{Attempt as _, Result};
use crate::system::System;
use crate::system::exports::{Export, canonical, parse_exports};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::path::Path;

/// What holds where a line says nothing of it.
const DEFAULTS: [&str; 9] =
    ["ro", "sync", "wdelay", "hide", "nocrossmnt", "secure", "root_squash", "no_all_squash", "no_subtree_check"];
const ETAB: &str = "/var/lib/nfs/etab";

/// The clients to whom a path is exported now.
#[derive(Debug)]
pub(super) struct Exported(pub(super) Vec<Export>);

impl Exported {
    /// Reads the table.
    pub(super) fn read(sys: &dyn System, path: &str) -> Result<Self> {
        let text = match sys.read(Path::new(ETAB)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).attempt(|| format!("reading `{ETAB}`")),
        };
        Ok(Self(parse_exports(&text).into_iter().filter(|export| export.path == path).collect()))
    }
}

/// Returns what is asked and not exported so.
pub(super) fn missing<'e>(asked: &'e [Export], exported: &Exported) -> Vec<&'e Export> {
    let holds = |ask: &Export, is: &Export| ask.options.iter().all(|option| has(&is.options, option));
    let met = |ask: &&Export| !exported.0.iter().any(|is| is_client(ask, is, asked) && holds(ask, is));
    asked.iter().filter(met).collect()
}

/// Returns what is exported, and asked neither here nor by another file.
pub(super) fn surplus<'e>(asked: &[Export], others: &[Export], exported: &'e Exported) -> Vec<&'e Export> {
    let all: Vec<Export> = asked.iter().chain(others).cloned().collect();
    exported.0.iter().filter(|is| !all.iter().any(|ask| is_client(ask, is, &all))).collect()
}

/// Returns whether two lines for one client come to the same: what is in place without a word is no difference.
pub(super) fn says_the_same(one: &Export, other: &Export) -> bool {
    let meant = |export: &Export| -> BTreeSet<String> {
        let said = export.options.iter().map(|option| canonical(option).to_owned());
        said.filter(|option| !DEFAULTS.contains(&option.as_str())).collect()
    };
    meant(one) == meant(other)
}

fn has(options: &[String], option: &str) -> bool {
    options.iter().any(|is| is == canonical(option))
}

/// The table has a host by its full name, so one that is asked by another name is any host that nobody else asks.
fn is_client(ask: &Export, is: &Export, all: &[Export]) -> bool {
    if ask.client == is.client {
        return true;
    }
    is_host(&ask.client) && is_host(&is.client) && !all.iter().any(|other| other.client == is.client)
}

fn is_host(client: &str) -> bool {
    !client.starts_with('@') && !client.contains(['*', '?', '[', '/']) && client.parse::<IpAddr>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(text: &str) -> Vec<Export> {
        parse_exports(text)
    }

    #[test]
    fn an_export_holds_when_every_option_asked_for_is_there() {
        let exported = Exported(exports("/srv 10.0.0.0/8(rw,sync,root_squash,secure_locks)"));
        assert!(missing(&exports("/srv 10.0.0.0/8(rw,auth_nlm)"), &exported).is_empty());
        assert_eq!(missing(&exports("/srv 10.0.0.0/8(ro)"), &exported).len(), 1);
        assert_eq!(missing(&exports("/srv 10.0.0.0/9(rw)"), &exported).len(), 1);
    }

    #[test]
    fn two_lines_differ_in_more_than_what_is_in_place_without_a_word() {
        let same = |one: &str, other: &str| says_the_same(&exports(one)[0], &exports(other)[0]);
        assert!(
            same("/srv a(ro,sync)", "/srv a(no_subtree_check)")
                && same("/srv a(rw,auth_nlm)", "/srv a(secure_locks,rw)")
        );
        assert!(!same("/srv a(rw)", "/srv a") && !same("/srv a(no_root_squash)", "/srv a(root_squash)"));
    }

    #[test]
    fn a_client_that_nobody_asks_for_any_more_is_surplus() {
        let exported = Exported(exports("/srv a(ro) 10.0.0.1(ro) @g(ro)"));
        let left = surplus(&exports("/srv a(ro)"), &exports("/srv @g(ro)"), &exported);
        assert_eq!(left.iter().map(|export| export.client.as_str()).collect::<Vec<_>>(), ["10.0.0.1"]);
        assert_eq!(surplus(&[], &[], &exported).len(), 3);
    }

    #[test]
    fn a_host_may_be_listed_by_its_full_name() {
        let exported = Exported(exports("/srv nas.example.org(ro)"));
        let asked = exports("/srv nas(ro)");
        assert!(missing(&asked, &exported).is_empty() && surplus(&asked, &[], &exported).is_empty());
    }
}
