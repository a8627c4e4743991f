//! The guard of a command: whether it is due, and what it leaves when it succeeded.
use crate::error::{Attempt as _, Error, Result};
use crate::field::{AbsPath, Text};
use crate::resource::need::Needs;
use crate::resource::{Ask, Thing};
use crate::system::fingerprint::fingerprint;
use crate::system::{Command, System, state};
use std::fmt::Write as _;

/// When a command is due.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guard<'a> {
    /// While nothing stands at a path.
    Creates(&'a AbsPath),
    /// Unless a program answers 0.
    Unless(&'a [Text]),
    /// As long as a program answers 0.
    OnlyIf(&'a [Text]),
    /// Until it succeeded here.
    Once,
    /// When what it watches is not what it was when it last succeeded here.
    Watch(&'a [AbsPath]),
}

/// The stamp of a command that was started and has not succeeded since: what its guard looks at may be half made.
const BEGUN: &str = "begun\n";

/// Whether a command is due.
pub(super) enum Due {
    /// It is not.
    No,
    /// It is.
    Yes {
        /// What is, for people.
        why: Option<String>,
        /// What the guard itself hangs on.
        needs: Needs,
    },
}

impl Guard<'_> {
    /// Returns whether it is due; `own` is the digest of the command's fields, `None` where it can't be known.
    pub(super) fn due(
        &self,
        name: &str,
        own: Option<&str>,
        command: &Command,
        ask: &Ask<'_>,
        sys: &dyn System,
    ) -> Result<Due> {
        let mut needs = Needs::default();
        let due = |needs, why| Ok(Due::Yes { why, needs });
        let stamp = state::stamp(sys, "command", name)?;
        if stamp.as_deref() == Some(BEGUN) {
            return due(needs, Some("begun, and not done".to_owned()));
        }
        match self {
            Self::Creates(path) => {
                let made = sys.lstat(path.path()).attempt(|| format!("reading `{}`", path.0))?.is_some();
                if made { Ok(Due::No) } else { due(needs, None) }
            }
            Self::Once if stamp.is_some() => Ok(Due::No),
            Self::Once => due(needs, None),
            Self::Unless(argv) => match answer("unless", argv, command, ask, sys)? {
                (Some(0), _) => Ok(Due::No),
                (code, needs) => due(needs, code.map(|code| format!("`{}` answers {code}", shown(argv)))),
            },
            Self::OnlyIf(argv) => match answer("only-if", argv, command, ask, sys)? {
                (Some(0), needs) => due(needs, Some(format!("`{}` answers 0", shown(argv)))),
                (None, needs) => due(needs, None),
                (Some(_), _) => Ok(Due::No),
            },
            Self::Watch(paths) => {
                let mut coming = None;
                for path in *paths {
                    needs.path(path.path(), "which the command watches", ask, sys)?;
                    let thing = Thing::Path(path.path().to_owned());
                    coming = coming.or_else(|| ask.pending.coming(&thing).map(|_| changed(&path.0)));
                    needs.coming(&thing, ask);
                }
                match since(stamp.as_deref(), own, &fingerprints(paths, sys)?) {
                    Since::Same if needs.met() => Ok(Due::No),
                    Since::Same => due(needs, coming),
                    Since::Never => due(needs, None),
                    Since::Changed(what) => due(needs, Some(what)),
                }
            }
        }
    }

    /// Leaves word that it is being run, where the guard could not tell a run that broke off from one that succeeded.
    pub(super) fn begin(&self, name: &str, sys: &dyn System) -> Result<()> {
        match self {
            Self::Creates(_) | Self::Unless(_) | Self::OnlyIf(_) => state::set_stamp(sys, "command", name, BEGUN),
            // Their stamp is that of a success: it is not there yet, or says what it was before.
            Self::Once | Self::Watch(_) => Ok(()),
        }
    }

    /// Leaves the stamp of a success, and says where the success was none.
    pub(super) fn settle(&self, name: &str, own: Option<&str>, sys: &dyn System) -> Result<()> {
        match self {
            Self::Creates(path) if sys.lstat(path.path()).attempt(|| format!("reading `{}`", path.0))?.is_none() => {
                Err(Error::new(format!("looking for `{}`", path.0))
                    .reason("the command succeeded, but did not create it"))
            }
            Self::Creates(_) | Self::Unless(_) | Self::OnlyIf(_) => state::clear_stamp(sys, "command", name),
            Self::Once => state::set_stamp(sys, "command", name, "once\n"),
            Self::Watch(paths) => {
                let stamp = written(own.unwrap_or_default(), &fingerprints(paths, sys)?);
                state::set_stamp(sys, "command", name, &stamp)
            }
        }
    }
}

/// Returns what a guard's program answers; `None` where it can't run before an earlier step is made.
fn answer(
    key: &str,
    argv: &[Text],
    command: &Command,
    ask: &Ask<'_>,
    sys: &dyn System,
) -> Result<(Option<i32>, Needs)> {
    let mut needs = Needs::default();
    needs.place(command, ask, sys)?;
    needs.program_if_coming(argv.first().map_or("", |program| &program.0), ask, sys)?;
    if !needs.met() {
        return Ok((None, needs));
    }
    let argv = argv.iter().map(|part| part.0.clone()).collect();
    let question = Command { argv, stdin: Vec::new(), ..command.clone() };
    let output = sys.run(&question).attempt(|| format!("asking `{key}`"))?;
    Ok((Some(output.code), needs))
}

fn shown(argv: &[Text]) -> String {
    Command::new(argv.iter().map(|part| part.0.clone())).shown()
}

/// Path and digest of all that is watched; of what is not there an empty digest.
fn fingerprints<'p>(paths: &'p [AbsPath], sys: &dyn System) -> Result<Vec<(&'p str, String)>> {
    let one = |path: &'p AbsPath| {
        let found = fingerprint(sys, path.path()).attempt(|| format!("reading `{}`", path.0))?;
        Ok((path.0.as_str(), found.map_or_else(String::new, |found| found.digest)))
    };
    paths.iter().map(one).collect()
}

/// Returns a stamp: a line for the command, a line for each thing watched.
fn written(own: &str, watched: &[(&str, String)]) -> String {
    watched.iter().fold(format!("command {own}\n"), |mut text, (path, digest)| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "watch {digest} {path}");
        text
    })
}

/// What happened since the stamp was left.
#[derive(Debug, PartialEq, Eq)]
enum Since {
    /// There is none.
    Never,
    /// Nothing.
    Same,
    /// Something, said for people.
    Changed(String),
}

fn since(stamp: Option<&str>, own: Option<&str>, watched: &[(&str, String)]) -> Since {
    let Some(stamp) = stamp else { return Since::Never };
    let mut lines = stamp.lines();
    let ran = lines.next().and_then(|line| line.strip_prefix("command "));
    if own.is_some() && own != ran {
        return Since::Changed("as it was before it was edited".to_owned());
    }
    let then: Vec<&str> = lines.collect();
    let other = watched.iter().find(|(path, digest)| !then.contains(&format!("watch {digest} {path}").as_str()));
    other.map_or(Since::Same, |(path, _)| Since::Changed(changed(path)))
}

fn changed(path: &str) -> String {
    format!("before `{path}` changed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_tells_what_changed_since() {
        let watched = [("/a b", "d1".to_owned()), ("/c", "d2".to_owned())];
        let stamp = written("own", &watched);
        assert_eq!(since(Some(&stamp), Some("own"), &watched), Since::Same);
        assert_eq!(since(Some(&stamp), None, &watched), Since::Same, "a secret that is not at hand is no difference");
        assert_eq!(since(None, Some("own"), &watched), Since::Never);
        assert!(matches!(since(Some(&stamp), Some("other"), &watched), Since::Changed(_)));
        let later = [("/a b", "d1".to_owned()), ("/c", "d3".to_owned())];
        assert_eq!(since(Some(&stamp), Some("own"), &later), Since::Changed("before `/c` changed".to_owned()));
        assert!(matches!(since(Some("torn"), Some("own"), &watched), Since::Changed(_)));
    }

    #[test]
    fn what_is_no_longer_watched_is_no_difference() {
        let stamp = written("own", &[("/a", "d1".to_owned()), ("/c", "d2".to_owned())]);
        assert_eq!(since(Some(&stamp), Some("own"), &[("/a", "d1".to_owned())]), Since::Same);
    }
}
